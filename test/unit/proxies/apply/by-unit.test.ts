import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SolistendError } from "../../../../src/errors.js";
import { transactByUnit } from "../../../../src/proxies/apply/by-unit.js";
import { resultOf, takeRequest } from "../../../../src/proxies/apply/request.js";
import type { Outcome } from "../../../../src/proxies/driver.js";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-by-unit-"));
});
afterEach(() => rm(folder, { recursive: true }));

const APPLIED: Outcome = { kind: "applied", stagesMs: { check: 1 } };
const signal = new AbortController().signal;

/** What root would leave, for the request that is there. */
async function leave(outcome: Outcome, id?: string) {
	const { request } = await takeRequest(folder, "edge");
	await writeFile(join(folder, "edge.json"), JSON.stringify(resultOf(id ?? request.id, outcome)));
}

const transact = (start: (unit: string, attempt: number) => Promise<void>) => {
	let attempt = 0;
	return transactByUnit({
		name: "edge",
		state: () => folder,
		results: folder,
		start(unit) {
			attempt += 1;
			return start(unit, attempt);
		},
	});
};

const transaction = { output: "/etc/haproxy/solistend.cfg", text: "backend web\n", reload: async () => undefined };

describe("a transaction by root's unit", () => {
	test("hands over what is to be done, and ends as the unit's did", async () => {
		let unit = "";
		const outcome = await transact(async (started) => {
			unit = started;
			const { request } = await takeRequest(folder, "edge");
			expect(request).toMatchObject({ text: "backend web\n", reload: true, unconfirmed: false });
			await leave(APPLIED);
		})(transaction, signal);
		expect(unit).toBe("solistend-apply@edge.service");
		expect(outcome).toEqual(APPLIED);
	});

	test("takes the result's word where the unit failed with one", async () => {
		const error = new SolistendError("proxy", "refused the new file");
		const outcome = await transact(async () => {
			await leave({ kind: "failed", stage: "check", error, serving: "what it had", stagesMs: {} });
			throw new SolistendError("proxy", "systemctl exited with code 1");
		})(transaction, signal);
		expect(outcome).toMatchObject({ stage: "check", error: { message: "refused the new file" } });
	});

	test("is not taken for done by another one's result, and the unit is started again", async () => {
		const outcome = await transact((_, attempt) => leave(APPLIED, attempt < 2 ? "another" : undefined))(
			transaction,
			signal,
		);
		expect(outcome).toEqual(APPLIED);
		const never = await transact(() => leave(APPLIED, "another"))(transaction, signal);
		expect(never).toMatchObject({ kind: "failed", stage: "stage" });
	});

	test("says what kept the unit from being started", async () => {
		const outcome = await transact(async () => {
			throw new SolistendError("proxy", "start command failed: Access denied");
		})(transaction, signal);
		expect(outcome).toMatchObject({
			kind: "failed",
			serving: "the previous configuration, which was not touched",
			error: { message: expect.stringMatching(/Access denied \(journalctl -u solistend-apply@edge.service .*polkit/) },
		});
	});

	test("is waited for no more once everything is to close", async () => {
		const abort = new AbortController();
		const running = transact(async () => {
			abort.abort(new Error("closing"));
			throw abort.signal.reason;
		})(transaction, abort.signal);
		await expect(running).rejects.toThrow("closing");
		expect(await readFile(join(folder, "edge", "candidate.json"), "utf8")).toContain("backend web");
	});
});
