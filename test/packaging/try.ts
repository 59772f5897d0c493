import { bootSystem } from "../host/booted-system.js";

const t = performance.now();
const system = await bootSystem([["/tmp/g2/out", "/packages"]]);
console.log("up", performance.now() - t);
for (const line of process.argv.slice(2)) console.log(line, "\n", await system.try(line));
await system.close();
console.log("done", performance.now() - t);
