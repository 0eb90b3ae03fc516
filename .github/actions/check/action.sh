#!/usr/bin/env bash
# The steps of the action: prepare, install, fetch, audit, verdict. Inputs arrive as ALIASAUDIT_ACTION_* variables and stay
# data: they are never part of a script, and only ever whole words of an argument list. Runs on the Bash 3.2 of macOS.
set -euo pipefail
export PYTHONUTF8=1 # on Windows, Python would write the report in a code page

readonly OWN_FOLDER="${GITHUB_ACTION_PATH:?}"
readonly WORK="${RUNNER_TEMP:?}/aliasaudit"
readonly MAX_SUMMARY_BYTES=1048576 # of a longer summary the runner shows nothing at all

# Messages are fixed text: an input that went into one could carry a command for the runner.
fail() {
    printf '::error title=aliasaudit::%s\n' "$1"
    exit 2
}

output() {
    case $2 in *[$'\n\r']*) fail "the output $1 would have several lines" ;; esac
    printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

check_inputs() {
    case $ALIASAUDIT_ACTION_VERIFY in
        off | cpu | cuda) ;;
        *) fail "the input verify must be off, cpu or cuda" ;;
    esac
    local release='^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?$'
    if [[ -n $ALIASAUDIT_ACTION_VERSION && ! $ALIASAUDIT_ACTION_VERSION =~ $release ]]; then
        fail "the input version must be a release such as 1.2.3"
    fi
}

# What pip installs: a release, or the commit that this action was loaded from, with a runtime where one is needed.
requirement() {
    local extra="" source
    case $ALIASAUDIT_ACTION_VERIFY in
        cpu) extra="[cpu,images]" ;;
        cuda) extra="[gpu,images]" ;;
    esac
    if [[ -n $ALIASAUDIT_ACTION_VERSION ]]; then
        printf 'aliasaudit%s==%s' "$extra" "$ALIASAUDIT_ACTION_VERSION"
    else
        source=$(cd "$OWN_FOLDER/../../.." && pwd)
        printf '%s%s' "$source" "$extra"
    fi
}

environment_folder() {
    printf '%s/environment-%s' "$WORK" "$ALIASAUDIT_ACTION_VERIFY"
}

# Programs of a virtual environment are in another folder on Windows.
program() {
    local folder
    folder=$(environment_folder)
    if [[ -d $folder/Scripts ]]; then
        printf '%s/Scripts/%s' "$folder" "$1"
    else
        printf '%s/bin/%s' "$folder" "$1"
    fi
}

# Prints what tells downloads apart: the version of Python, and of the dependencies.
readonly CACHE_KEY='
import hashlib, pathlib, sys
if sys.version_info < (3, 10):
    sys.exit(1)
project, version = sys.argv[1:]
seed = version.encode() or pathlib.Path(project).read_bytes()
print("python%d.%d-%s" % (*sys.version_info[:2], hashlib.sha256(seed).hexdigest()[:16]))
'

prepare() {
    check_inputs
    local candidate key
    for candidate in python3 python; do
        # -I: a module of the audited checkout must not stand in for one of Python's.
        if key=$("$candidate" -I -c "$CACHE_KEY" "$OWN_FOLDER/../../../pyproject.toml" "$ALIASAUDIT_ACTION_VERSION"); then
            output python "$(command -v "$candidate")"
            output pip-cache "$WORK/pip-cache"
            output cache-key "$key-$ALIASAUDIT_ACTION_VERIFY"
            return
        fi
    done
    fail "Python 3.10 or newer is needed: run actions/setup-python before this action"
}

install() {
    check_inputs
    local folder wanted
    folder=$(environment_folder)
    wanted=$(requirement)
    # A second use of the action in the same job finds the environment of the first.
    if [[ -f $folder/requirement && $(<"$folder/requirement") == "$wanted" ]]; then
        return
    fi
    "$ALIASAUDIT_ACTION_PYTHON" -I -m venv "$folder"
    PIP_CACHE_DIR=$ALIASAUDIT_ACTION_PIP_CACHE "$(program python)" -I -m pip install \
        --quiet --disable-pip-version-check -- "$wanted"
    printf '%s' "$wanted" >"$folder/requirement"
}

# The lines of the input `models`, globs expanded: into the array `models`. A glob that matches nothing stays as it is,
# and aliasaudit says that there is no such file.
expand_models() {
    local line
    models=()
    shopt -s globstar 2>/dev/null || true # newer than Bash 3.2
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%$'\r'}
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        [[ -n $line ]] || continue
        local IFS=
        # shellcheck disable=SC2206 # the glob is meant to expand; with an empty IFS nothing is split
        models+=($line)
    done <<<"$ALIASAUDIT_ACTION_MODELS"
    [[ ${#models[@]} -gt 0 ]] || fail "the input models names nothing"
}

# Turn `models` and `command` of the audit into those of a comparison.
choose_base() {
    local model
    if [[ -n $ALIASAUDIT_ACTION_BASE_REF && -n $ALIASAUDIT_ACTION_BASE_MODEL ]]; then
        fail "the inputs base-ref and base-model exclude each other"
    elif [[ -n $ALIASAUDIT_ACTION_BASE_MODEL ]]; then
        [[ ${#models[@]} -eq 1 ]] || fail "the input base-model goes with exactly one model"
        models=("$ALIASAUDIT_ACTION_BASE_MODEL" "${models[0]}")
    else
        command+=("--base-ref=$ALIASAUDIT_ACTION_BASE_REF")
        # Folders stay folders: the program also finds what the base has in them.
        for model in "${models[@]}"; do
            command+=("--model=$model")
        done
        models=()
    fi
}

# What the base keeps in Git LFS. A checkout fetches the files of its own commit alone, and leaves no credentials behind
# where it is told so. Where this fails, the comparison says which file is missing, and why.
fetch() {
    [[ $ALIASAUDIT_ACTION_BASE_REF != -* ]] || return 0
    cd -- "$ALIASAUDIT_ACTION_WORKING_DIRECTORY" || return 0
    git lfs version >/dev/null 2>&1 || return 0
    local secret
    secret=$(printf 'x-access-token:%s' "$ALIASAUDIT_ACTION_TOKEN" | base64 | tr -d '\n')
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$ALIASAUDIT_ACTION_SERVER/.extraheader" \
        GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $secret" \
        git lfs fetch origin "$ALIASAUDIT_ACTION_BASE_REF" >/dev/null 2>&1 || true
}

audit() {
    local reports code=0 sarif=$ALIASAUDIT_ACTION_SARIF_FILE
    mkdir -p "$WORK"
    reports=$(mktemp -d "$WORK/report.XXXXXX")
    cd -- "$ALIASAUDIT_ACTION_WORKING_DIRECTORY" || fail "the input working-directory is no folder"
    [[ -n $sarif ]] || sarif=$reports/aliasaudit.sarif

    local models
    expand_models
    local command=(check)
    if [[ -n $ALIASAUDIT_ACTION_BASE_REF$ALIASAUDIT_ACTION_BASE_MODEL ]]; then
        command=(compare)
        choose_base
    fi
    command+=(--output-format github --no-progress)
    [[ $ALIASAUDIT_ACTION_VERIFY == off ]] || command+=(--verify "--device=$ALIASAUDIT_ACTION_VERIFY")
    command+=(--report "sarif=$sarif" --report "json=$reports/report.json" --report "markdown=$reports/summary.md")
    [[ -z $ALIASAUDIT_ACTION_CONFIG ]] || command+=("--config=$ALIASAUDIT_ACTION_CONFIG")
    [[ -z $ALIASAUDIT_ACTION_BASELINE ]] || command+=("--baseline=$ALIASAUDIT_ACTION_BASELINE")
    [[ -z $ALIASAUDIT_ACTION_FAIL_ON ]] || command+=("--fail-on=$ALIASAUDIT_ACTION_FAIL_ON")
    local words=()
    # read fails at the end of its input; the words are there all the same.
    IFS=$' \t\n\r' read -r -d '' -a words <<<"$ALIASAUDIT_ACTION_ARGS" || true
    command+=(${words[@]+"${words[@]}"}) # an empty array is unset to the Bash of macOS

    "$(program aliasaudit)" "${command[@]}" -- ${models[@]+"${models[@]}"} || code=$?

    output exit-code "$code"
    [[ ! -s $sarif ]] || output sarif-file "$(absolute "$sarif")"
    if [[ -s $reports/report.json ]]; then
        output report-json "$reports/report.json"
        "$(program python)" -I "$OWN_FOLDER/numbers.py" "$reports/report.json" >>"$GITHUB_OUTPUT"
    fi
    [[ $ALIASAUDIT_ACTION_SUMMARY != true ]] || summarise "$reports/summary.md" "$code"
}

absolute() {
    case $1 in
        /* | [A-Za-z]:*) printf '%s' "$1" ;;
        *) printf '%s/%s' "$PWD" "$1" ;;
    esac
}

summarise() {
    if [[ ! -s $1 ]]; then
        printf 'aliasaudit ended with exit code %d and wrote no report; the log of this step says why.\n' "$2"
    elif [[ $(wc -c <"$1") -gt $MAX_SUMMARY_BYTES ]]; then
        printf 'The report of aliasaudit is too long for a summary; it is in the JSON report.\n'
    else
        cat -- "$1"
    fi >>"$GITHUB_STEP_SUMMARY"
}

verdict() {
    [[ $ALIASAUDIT_ACTION_EXIT_CODE =~ ^[0-9]+$ ]] || fail "the audit did not end"
    exit "$ALIASAUDIT_ACTION_EXIT_CODE"
}

case ${1-} in
    prepare | install | fetch | audit | verdict) "$1" ;;
    *) fail "usage: action.sh prepare|install|fetch|audit|verdict" ;;
esac
