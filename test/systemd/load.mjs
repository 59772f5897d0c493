/**
 * A client at a steady rate, within a booted system: GET after GET, each over a connection of its own, until SIGTERM; then it
 * says what came of them. Usage: load.mjs URL REQUESTS_PER_SECOND
 */

import { get } from "node:http";

const [url, rate] = process.argv.slice(2);
const TICK_MS = 10;
const TIMEOUT_MS = 10_000;
const result = { asked: 0, failed: 0, troubles: {} };

const failed = (why) => {
	result.failed += 1;
	result.troubles[why] = (result.troubles[why] ?? 0) + 1;
};
const ask = () =>
	new Promise((resolve) => {
		result.asked += 1;
		const request = get(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
			response.resume();
			if (response.statusCode !== 200) failed(`status ${response.statusCode}`);
			response.on("close", resolve);
		});
		request.on("timeout", () => request.destroy(new Error("no answer in time")));
		request.on("error", (error) => {
			failed(error.message);
			resolve();
		});
	});

const open = new Set();
const beganMs = performance.now();
const ticking = setInterval(() => {
	// What a busy machine kept from being asked in time is asked late, but not left out.
	const due = Math.floor(((performance.now() - beganMs) / 1000) * Number(rate));
	for (let left = Math.min(due - result.asked, 50); left > 0; left--) {
		const asking = ask().then(() => open.delete(asking));
		open.add(asking);
	}
}, TICK_MS);
process.once("SIGTERM", async () => {
	clearInterval(ticking);
	await Promise.all(open);
	console.log(JSON.stringify(result));
});
