/** What is taken in of a configuration that changes, on real files: the last version, whenever it comes. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openReloads, type Reloads } from "../../src/config/reloads.js";
import { type Config, configSchema } from "../../src/config/schema.js";
import { eventually } from "../host/eventually.js";

let folder: string;
let file: string;
let reloads: Reloads | undefined;
let taken: string[];
let said: { msg: string; problems?: string[] }[];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-reloads-"));
	file = join(folder, "solistend.yaml");
	taken = [];
	said = [];
});

afterEach(async () => {
	await reloads?.close();
	reloads = undefined;
	await rm(folder, { recursive: true });
});

const named = (host: string) => JSON.stringify({ host });

async function open(before: string, take = async ({ host }: Config) => void taken.push(host)): Promise<Reloads> {
	reloads = await openReloads({
		file,
		config: configSchema.parse({ host: before }),
		take,
		log: pino({ base: null }, { write: (line: string) => void said.push(JSON.parse(line)) }),
	});
	return reloads;
}

const isTaken = (host: string) => eventually(`${host} is taken`, () => taken.at(-1) === host);

test("what changed after it was read, and before anybody watched, is taken once all is there", async () => {
	await writeFile(file, named("b"));
	const { begin } = await open("a");
	expect(taken).toEqual([]);
	begin();
	await isTaken("b");
});

test("what is still as it was read is not taken again", async () => {
	await writeFile(file, named("a"));
	const { begin, request } = await open("a");
	begin();
	await writeFile(file, named("b"));
	await isTaken("b");
	expect(await request()).toEqual([]);
	expect(taken).toEqual(["b", "b"]);
});

test("of many changes, whatever their pace is and however long one takes, the last one is taken", async () => {
	await writeFile(file, named("v0"));
	const { begin } = await open("v0", async ({ host }) => {
		await pause(Math.random() * 150);
		taken.push(host);
	});
	begin();
	for (let round = 1; round <= 3; round++) {
		for (let i = 1; i <= 8; i++) {
			await writeFile(file, named(`v${round}-${i}`));
			await pause(Math.random() * 120);
		}
		await isTaken(`v${round}-8`);
	}
});

test("a file without a byte in it is one that is being written: what runs stays until there is something", async () => {
	await writeFile(file, named("a"));
	const { begin, request } = await open("a");
	begin();
	await writeFile(file, "");
	const problem = `${file}:1:1: is empty: is it being written? (for a configuration with nothing in it, write {})`;
	expect(await request()).toEqual([problem]);
	expect(said.at(-1)).toMatchObject({ msg: "configuration not taken, the running one stays", problems: [problem] });
	await writeFile(file, "{}");
	await eventually("it is taken", () => taken.length === 1);
});

test("a version that can't be taken is told of, and the next one is", async () => {
	await writeFile(file, named("a"));
	const { begin, request } = await open("a", async ({ host }) => {
		if (host === "bad") throw new Error("it is bad");
		taken.push(host);
	});
	begin();
	await writeFile(file, named("bad"));
	expect(await request()).toEqual(["it is bad"]);
	await writeFile(file, named("c"));
	await isTaken("c");
});
