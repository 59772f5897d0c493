/**
 * The watcher as it was built, with a fault: before each message it posts, it looks whether the file that the environment
 * names as SOLISTEND_TEST_FAULT holds one. `throw`, `exit`, `hang` (in JavaScript) `stuck` (in the kernel), or `late` (in
 * JavaScript, until the file is gone); with ` once` behind it the file is removed first, so that the next worker is a good
 * one.
 */

import { readFileSync, rmSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import koffi from "koffi";

const file = process.env["SOLISTEND_TEST_FAULT"] ?? "";
const post = parentPort.postMessage.bind(parentPort);

function fault() {
	try {
		const [name, times] = readFileSync(file, "utf8").trim().split(" ");
		if (times === "once") rmSync(file);
		return name;
	} catch {
		return undefined;
	}
}

parentPort.postMessage = (message) => {
	switch (message.type === "failed" ? undefined : fault()) {
		case "throw":
			throw new Error("a fault of the test");
		case "exit":
			process.exit(1);
			break;
		case "hang":
			for (;;);
		case "late":
			while (fault() === "late") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
			post(message);
			break;
		case "stuck":
			koffi.load("libc.so.6").func("int poll(void *fds, unsigned long count, int timeout)")(null, 0, -1);
			break;
		default:
			post(message);
	}
};

await import("../../build/sensor/worker.js");
