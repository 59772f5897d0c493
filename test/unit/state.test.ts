import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { backendId, type Hold } from "../../src/backends/backend.js";
import { loadState, type Remembered, saveState } from "../../src/state.js";
import { type TempFolder, tempFolder } from "../host/temp-folder.js";

const HOLDS: readonly Hold[] = [
	{ service: "web", id: backendId("10.0.0.1", 80), state: "drain" },
	{ service: "api", id: backendId("fd00::1", 443), state: "down" },
];

const STATE: Remembered = {
	holds: HOLDS,
	services: [{ name: "api", mode: "http", hosts: ["api.example.org"], drainTimeout: 30_000, order: 1 }],
};
const NOTHING: Remembered = { holds: [], services: [] };

let folder: TempFolder;
let lines: { level: number; msg: string }[];
const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });

beforeEach(async () => {
	folder = await tempFolder();
	lines = [];
});

afterEach(() => folder.close());

describe("what is held", () => {
	test("is the same after it was written and read, and nothing else is left in the folder", async () => {
		expect(await loadState(folder.path, log)).toEqual(NOTHING);
		expect(await saveState(folder.path, STATE)).toBeUndefined();
		expect(await loadState(folder.path, log)).toEqual(STATE);
		expect(await saveState(folder.path, NOTHING)).toBeUndefined();
		expect(await loadState(folder.path, log)).toEqual(NOTHING);
		expect(await readdir(folder.path)).toEqual(["state.json"]);
		expect(lines).toEqual([]);
	});

	test("is read from the file of a version that knew no services by label", async () => {
		await writeFile(join(folder.path, "state.json"), '{"version": 1, "holds": []}');
		expect(await loadState(folder.path, log)).toEqual(NOTHING);
	});

	test("is nothing where the folder is missing, which is told with its mend", async () => {
		const missing = join(folder.path, "missing");
		expect(await loadState(missing, log)).toEqual(NOTHING);
		expect(lines.map(({ msg }) => msg)).toEqual([
			`what is held by hand, and services by label, last until the daemon ends: the folder ${missing} does not exist (create it, or name another one as state)`,
		]);
		expect(await saveState(missing, STATE)).toBe(
			`the folder ${missing} does not exist (create it, or name another one as state)`,
		);
	});

	test.each([
		"",
		"{",
		"null",
		'{"version": 2, "holds": []}',
		'{"version": 1}',
		'{"version": 1, "holds": [{"service": "web", "id": "10.0.0.1:80", "state": "ready"}]}',
		'{"version": 1, "holds": [{"service": "web", "id": "10.0.0.1", "state": "down"}]}',
	])("is nothing where the file is damaged, which is kept aside: %s", async (text) => {
		await writeFile(join(folder.path, "state.json"), text);
		expect(await loadState(folder.path, log)).toEqual(NOTHING);
		expect(lines).toMatchObject([{ msg: expect.stringContaining("is damaged: nothing is remembered") }]);
		expect(await readdir(folder.path)).toEqual(["state.json.damaged"]);
		expect(await readFile(join(folder.path, "state.json.damaged"), "utf8")).toBe(text);
	});

	test("is not written through a link that somebody put beside the file", async () => {
		const target = join(folder.path, "target");
		await writeFile(target, "mine");
		await symlink(target, join(folder.path, "state.json.new"));
		expect(await saveState(folder.path, STATE)).toBeUndefined();
		expect(await readFile(target, "utf8")).toBe("mine");
	});

	test("is not lost where a file can't be written: why is told", async () => {
		await mkdir(join(folder.path, "state.json"));
		expect(await saveState(folder.path, STATE)).toMatch(
			/state\.json cannot be written: .+ \(let the daemon's user write/,
		);
		expect(await loadState(folder.path, log)).toEqual(NOTHING);
		expect(lines).toMatchObject([{ msg: `cannot read ${join(folder.path, "state.json")}: nothing is remembered` }]);
	});
});
