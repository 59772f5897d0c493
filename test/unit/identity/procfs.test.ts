import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createProcfs, MAX_READ_BYTES } from "../../../src/identity/procfs.js";

let root: string;

beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "solistend-proc-"));
	mkdirSync(join(root, "41/net"), { recursive: true });
	mkdirSync(join(root, "41/ns"));
});

afterEach(() => rmSync(root, { recursive: true }));

describe("procfs", () => {
	test("reads the files of a process", () => {
		writeFileSync(join(root, "41/cgroup"), "0::/system.slice/web.service\n");
		writeFileSync(join(root, "41/net/fib_trie"), "Main:\n");
		writeFileSync(join(root, "41/net/if_inet6"), "");
		writeFileSync(join(root, "41/net/tcp"), "four");
		writeFileSync(join(root, "41/net/tcp6"), "six");
		symlinkSync("net:[4026532177]", join(root, "41/ns/net"));
		const procfs = createProcfs(root);
		expect(procfs.readCgroup(41)).toBe("0::/system.slice/web.service\n");
		expect(procfs.readFibTrie(41)).toBe("Main:\n");
		expect(procfs.readIfInet6(41)).toBe("");
		expect([procfs.readTcp(41, 4), procfs.readTcp(41, 6)]).toEqual(["four", "six"]);
		expect(procfs.netnsInode(41)).toBe(4026532177);
		expect(procfs.netTag(41)).toBe(statSync(join(root, "41/net/fib_trie")).ino);
	});

	test("knows nothing of a process that is gone, and does not throw", () => {
		const procfs = createProcfs(root);
		expect(procfs.readCgroup(42)).toBeUndefined();
		expect(procfs.readFibTrie(42)).toBeUndefined();
		expect(procfs.readIfInet6(42)).toBeUndefined();
		expect(procfs.readTcp(42, 4)).toBeUndefined();
		expect(procfs.startedAtNs(42)).toBeUndefined();
		expect(procfs.netnsInode(42)).toBeUndefined();
		expect(procfs.netTag(42)).toBeUndefined();
		expect(createProcfs(join(root, "none")).pids()).toEqual([]);
	});

	test("knows nothing where there is a folder instead of a file, or another link", () => {
		mkdirSync(join(root, "41/cgroup"));
		symlinkSync("net:[]", join(root, "41/ns/net"));
		const procfs = createProcfs(root);
		expect(procfs.readCgroup(41)).toBeUndefined();
		expect(procfs.netnsInode(41)).toBeUndefined();
	});

	test("reads no more than the bound, and what it read before does not shine through", () => {
		writeFileSync(join(root, "41/net/fib_trie"), "x".repeat(MAX_READ_BYTES + 10));
		writeFileSync(join(root, "41/cgroup"), "0::/a\n");
		const procfs = createProcfs(root);
		expect(procfs.readFibTrie(41)).toHaveLength(MAX_READ_BYTES);
		expect(procfs.readCgroup(41)).toBe("0::/a\n");
	});

	test.each(["nginx", "a) b (c", ") 1 2 3"])("finds the start of a process that is called %j", (comm) => {
		const after = ["S", ...Array.from({ length: 18 }, (_, i) => String(i)), "12345", "0", "0"].join(" ");
		writeFileSync(join(root, "41/stat"), `41 (${comm}) ${after}\n`);
		expect(createProcfs(root).startedAtNs(41)).toBe(123_450_000_000);
		writeFileSync(join(root, "41/stat"), "41 (cut");
		expect(createProcfs(root).startedAtNs(41)).toBeUndefined();
	});

	test("lists processes, and only those", () => {
		mkdirSync(join(root, "7"));
		mkdirSync(join(root, "sys"));
		writeFileSync(join(root, "version"), "");
		expect(createProcfs(root).pids().sort()).toEqual([41, 7]);
	});

	test("agrees with the kernel about ourselves", () => {
		const procfs = createProcfs();
		const { pid } = process;
		expect(procfs.readCgroup(pid)).toBe(readFileSync("/proc/self/cgroup", "latin1"));
		expect(procfs.readFibTrie(pid)).toBe(readFileSync("/proc/self/net/fib_trie", "latin1"));
		expect(procfs.netnsInode(pid)).toBe(statSync("/proc/self/ns/net").ino);
		expect(procfs.netnsInode("self")).toBe(procfs.netnsInode(pid));
		expect(procfs.netTag("self")).toBe(procfs.netTag(pid));
		expect(procfs.pids()).toContain(pid);
		const uptimeNs = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1e9;
		expect(procfs.startedAtNs(pid)).toBeGreaterThan(0);
		expect(procfs.startedAtNs(pid)).toBeLessThanOrEqual(uptimeNs + 10_000_000);
	});
});
