import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engineFinding } from "../../src/cli/engine-finding.js";
import { idOf, openEngineServer } from "../host/engine-server.js";
import { tempFolder } from "../host/temp-folder.js";

describe("what doctor says of the engine", () => {
	test("that none is configured, which is fine, and what is missing for it", async () => {
		const { name, state, detail } = await engineFinding(undefined);
		expect([name, state]).toEqual(["engine", "ok"]);
		expect(detail).toMatch(/^none is configured: .*labels, need discovery\.docker$/);
	});

	test("its version, and how many containers run", async () => {
		await using server = await openEngineServer();
		const detail = `Docker 20.10.24 at ${server.socket}: `;
		const finding = { name: "engine", state: "ok" };
		expect(await engineFinding(`unix://${server.socket}`)).toEqual({ ...finding, detail: `${detail}0 containers run` });
		server.start({ id: idOf("blue"), name: "blue" });
		expect(await engineFinding(`unix://${server.socket}`)).toEqual({ ...finding, detail: `${detail}1 container runs` });
	});

	test("that it is not there, does not answer, or answers with an error, each with a mend", async () => {
		await using folder = await tempFolder();
		await using server = await openEngineServer();
		const socket = join(folder.path, "none.sock");
		expect(await engineFinding(`unix://${socket}`)).toMatchObject({
			state: "degraded",
			detail: expect.stringContaining(`${socket} cannot be reached: there is no such socket (is it running,`),
		});
		server.answer("/version", "hang");
		expect(await engineFinding(`unix://${server.socket}`)).toMatchObject({
			state: "degraded",
			detail: expect.stringContaining(`${server.socket} does not answer (5 s)`),
		});
		server.answer("/version", "well");
		server.answer("/containers/json", "500");
		expect(await engineFinding(`unix://${server.socket}`)).toMatchObject({
			state: "degraded",
			detail: expect.stringContaining("answers 500"),
		});
	});

	test.each(["404", "nonsense", "garbage"] as const)("that what answers (%s) is no engine", async (manner) => {
		await using server = await openEngineServer();
		server.answer("/", manner);
		expect(await engineFinding(`unix://${server.socket}`)).toMatchObject({
			state: "failed",
			detail: expect.stringMatching(/\(name an engine's socket in discovery\.docker\)$/),
		});
	});
});
