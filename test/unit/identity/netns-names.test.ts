import { mkdtempSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createNetnsNames } from "../../../src/identity/netns-names.js";
import { fakeProcfs } from "./fake-procfs.js";

const HOST = 4026531833;
const UNNAMED = 4026539999;

/** Real inodes of nsfs, whatever the namespaces are of. */
type Kind = "uts" | "ipc" | "mnt";
const inodeOf = (kind: Kind) => statSync(`/proc/self/ns/${kind}`).ino;
const [red, green, blue] = [inodeOf("uts"), inodeOf("ipc"), inodeOf("mnt")];

let folder: string;
let wall: number;

const mount = (name: string, kind: Kind) => symlinkSync(`/proc/self/ns/${kind}`, join(folder, name));
const open = () => createNetnsNames({ procfs: fakeProcfs([{ pid: 1, netns: HOST }]), folder, now: () => wall });

/** As if the folder had last changed long ago: then its time can be relied on. */
const settle = (mtimeMs: number) => utimesSync(folder, mtimeMs / 1000, mtimeMs / 1000);

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "solistend-netns-"));
	wall = Date.now();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the name of a network namespace", () => {
	test("is that of its file", () => {
		mount("red", "uts");
		mount("green", "ipc");
		const names = open();
		expect(names.nameOf(red)).toBe("red");
		expect(names.nameOf(green)).toBe("green");
		expect(names.nameOf(UNNAMED)).toBeUndefined();
	});

	test("is the first of several", () => {
		mount("zz", "uts");
		mount("aa", "uts");
		expect(open().nameOf(red)).toBe("aa");
	});

	test("is found when it was given after the last look", () => {
		const names = open();
		settle(wall - 60_000);
		expect(names.nameOf(red)).toBeUndefined();
		mount("red", "uts");
		expect(names.nameOf(red)).toBe("red");
	});

	test("is found when it was given so soon after a look that the folder's time is the same", () => {
		const names = open();
		settle(wall - 20);
		expect(names.nameOf(red)).toBeUndefined();
		mount("red", "uts");
		settle(wall - 20);
		expect(names.nameOf(red)).toBe("red");
	});

	test("is not taken from a file on which nothing is mounted yet, and is found once it is", () => {
		writeFileSync(join(folder, "red"), "");
		const names = open();
		settle(wall - 60_000);
		expect(names.nameOf(statSync(join(folder, "red")).ino)).toBeUndefined();
		expect(names.nameOf(red)).toBeUndefined();
		unlinkSync(join(folder, "red"));
		mount("red", "uts");
		settle(wall - 60_000); // a mount leaves the folder's time as it was
		expect(names.nameOf(red)).toBe("red");
	});

	test("is not trusted when it was given to another namespace", () => {
		mount("web", "uts");
		mount("other", "ipc");
		const names = open();
		expect(names.nameOf(red)).toBe("web");
		unlinkSync(join(folder, "web"));
		renameSync(join(folder, "other"), join(folder, "web"));
		settle(wall - 60_000);
		expect(names.nameOf(red)).toBeUndefined();
		expect(names.nameOf(green)).toBe("web");
	});

	test("is gone when its file is gone, and when the folder is", () => {
		mount("red", "uts");
		mount("green", "ipc");
		const names = open();
		expect(names.nameOf(red)).toBe("red");
		unlinkSync(join(folder, "red"));
		expect(names.nameOf(red)).toBeUndefined();
		rmSync(folder, { recursive: true });
		expect(names.nameOf(green)).toBeUndefined();
		expect(names.nameOf(UNNAMED)).toBeUndefined();
	});

	test("is looked for again after a second, even where nothing seems to have changed", () => {
		mount("red", "uts");
		settle(wall - 60_000);
		const names = open();
		expect(names.nameOf(blue)).toBeUndefined();
		unlinkSync(join(folder, "red"));
		mount("red", "mnt");
		settle(wall - 60_000);
		expect(names.nameOf(blue)).toBeUndefined();
		wall += 1001;
		expect(names.nameOf(blue)).toBe("red");
	});

	test("is host for the host's, and for no other", () => {
		mount("host", "uts");
		const names = open();
		expect(names.hostInode()).toBe(HOST);
		expect(names.nameOf(HOST)).toBe("host");
		expect(names.nameOf(red)).toBeUndefined();
	});

	test("takes our own namespace for the host's where the first process may not be looked at", () => {
		const procfs = fakeProcfs([{ pid: 1, netns: HOST, hidden: true }], HOST + 5);
		expect(createNetnsNames({ procfs, folder }).hostInode()).toBe(HOST + 5);
	});
});
