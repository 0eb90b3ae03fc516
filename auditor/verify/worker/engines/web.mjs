// onnxruntime-web under node, told what to do on standard input: a JSON header behind its length, then the bytes of
// its tensors; answers go to standard output in the same form.
import fs from "node:fs";
import { createRequire } from "node:module";

// The package lies in the folder that node was started in, not beside this file.
const ort = createRequire(`${process.cwd()}/`)("onnxruntime-web");
ort.env.wasm.numThreads = Number(process.argv[2]);

// Answers alone may leave on standard output. What the runtime says while it loads a model tells where nodes are.
const writeSync = fs.writeSync;
let said = "";
const hear = (text) => {
  said += `${text}\n`;
  return text.length ?? 0;
};
fs.writeSync = (file, data, ...rest) => (file <= 2 ? hear(data) : writeSync(file, data, ...rest));
for (const name of ["log", "info", "warn", "debug", "error"]) console[name] = (...words) => void hear(words.join(" "));
ort.env.logLevel = "verbose";

const KINDS = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, bool: Uint8Array, int8: Int8Array,
  uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array,
};

function read(size) {
  const buffer = Buffer.alloc(size);
  let done = 0;
  while (done < size) {
    let count = 0;
    try {
      count = fs.readSync(0, buffer, done, size - done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      continue;
    }
    if (count === 0) process.exit(0);
    done += count;
  }
  return buffer;
}

function write(buffer) {
  for (let done = 0; done < buffer.length;) {
    try {
      done += writeSync(1, buffer, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function answer(header, parts = []) {
  const text = Buffer.from(JSON.stringify(header), "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  write(length);
  write(text);
  parts.forEach(write);
}

function port(meta) {
  return { name: meta.name, type: meta.isTensor ? meta.type : "", shape: meta.isTensor ? [...meta.shape] : [] };
}

function tensor(told) {
  const bytes = read(told.bytes);
  const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return new ort.Tensor(told.type, new KINDS[told.type](data), told.shape);
}

let session;
for (;;) {
  const told = JSON.parse(read(read(4).readUInt32LE()).toString("utf8"));
  try {
    if (told.do === "open") {
      const options = { executionProviders: ["wasm"], logSeverityLevel: 0 };
      session = await ort.InferenceSession.create(read(told.bytes), options);
      const [inputs, outputs] = [session.inputMetadata.map(port), session.outputMetadata.map(port)];
      const placed = [...said.matchAll(/odes? placed on \[(\w+)\]\. Number of nodes: (\d+)/g)];
      answer({ inputs, outputs, placed: placed.map(([, provider, count]) => [provider, Number(count)]) });
      said = "";
      continue;
    }
    const feeds = Object.fromEntries(told.feeds.map((feed) => [feed.name, tensor(feed)]));
    const made = await session.run(feeds, told.outputs, { logSeverityLevel: 4 });
    said = "";
    const parts = told.outputs.map((name) => made[name]);
    const views = parts.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    const facts = parts.map(({ type, dims }, place) => ({ type, shape: [...dims], bytes: views[place].length }));
    answer({ outputs: facts }, views);
  } catch (error) {
    answer({ error: String(error?.message ?? error) });
  }
}
