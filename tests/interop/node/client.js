// gRPC for Node: client.js CASES.json

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const PROTO = path.resolve(__dirname, "../../../proto/proto");
const definition = loader.loadSync("quintet/v1/serving.proto", { includeDirs: [PROTO], keepCase: true });
const { InferenceService } = grpc.loadPackageDefinition(definition).quintet.v1;

const read = (file) => file && fs.readFileSync(file);

async function call(asked, one) {
  const credentials = grpc.credentials.createSsl(read(one.ca), read(one.key), read(one.cert));
  const algorithm = one.compression === "gzip" ? grpc.compressionAlgorithms.gzip : undefined;
  const options = algorithm === undefined ? {} : { "grpc.default_compression_algorithm": algorithm };
  const client = new InferenceService(one.address, credentials, options);
  const metadata = new grpc.Metadata();
  if (one.token) metadata.set("authorization", `Bearer ${one.token}`);
  const how = { deadline: Date.now() + 60_000 };
  const raw = { width: 28, height: 28, channels: 1, data: Buffer.from(asked.image, "base64") };
  const request = { model: "mlp", top_k: 3, images: Array(asked.images).fill({ raw }) };
  const check = (answer) => {
    if (answer.classifications.length !== asked.images) throw new Error(JSON.stringify(answer));
  };
  try {
    const answer = await new Promise((resolve, reject) => {
      client.Classify(request, metadata, how, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
    check(answer);
    const stream = client.ClassifyStream(metadata, how);
    for (const index of [0, 1, 2]) stream.write({ index, request });
    stream.end();
    let count = 0;
    for await (const answer of stream) {
      check(answer.response);
      count += 1;
    }
    if (count !== 3) throw new Error(`${count} answers`);
  } finally {
    client.close();
  }
}

async function main(file) {
  const asked = JSON.parse(fs.readFileSync(file));
  for (const one of asked.cases) {
    let given = "OK";
    try {
      await call(asked, one);
    } catch (error) {
      if (error.code === undefined) throw error;
      given = grpc.status[error.code];
    }
    const isRight = given === one.expected;
    console.log(`${isRight ? "ok" : "FAILED"} grpc-js: ${one.name}: ${given}`);
    if (!isRight) process.exitCode = 1;
  }
}

main(process.argv[2]);
