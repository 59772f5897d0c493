/** Hot reload, on real files: whatever way a file is replaced, one call says so, and closing leaves nothing watched. */

import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileWatch, watchFiles } from "../../src/config/watch.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { replaceFile } from "../host/replace-file.js";

requirePrivileges();

let folder: string;
let open: FileWatch[];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-watch-"));
	open = [];
});

afterEach(async () => {
	await Promise.all(open.map((watch) => watch.close()));
	await rm(folder, { recursive: true });
});

const at = (...names: string[]): string => join(folder, ...names);

/** Starts a watch; `next()` is the next call that nobody has taken yet. */
async function started(...paths: string[]): Promise<{ next(): Promise<readonly string[]>; calls: number }> {
	const calls: (readonly string[])[] = [];
	const waiting: ((changed: readonly string[]) => void)[] = [];
	const result = {
		calls: 0,
		next: () =>
			new Promise<readonly string[]>((resolve) => {
				const call = calls.shift();
				if (call === undefined) waiting.push(resolve);
				else resolve(call);
			}),
	};
	const watch = await watchFiles(paths, (changed) => {
		result.calls++;
		const taker = waiting.shift();
		if (taker === undefined) calls.push(changed);
		else taker(changed);
	});
	open.push(watch);
	return result;
}

/** What the kernel says is watched by this process. */
function inotifyWatches(): number {
	return readdirSync("/proc/self/fdinfo")
		.map((fd) => {
			try {
				return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
			} catch {
				return ""; // the descriptor by which the folder was read is closed by now
			}
		})
		.flatMap((info) => info.match(/^inotify wd:/gm) ?? []).length;
}

/** Switches a symbolic link in one step. */
async function switchLink(link: string, target: string): Promise<void> {
	await symlink(target, `${link}.new`);
	await rename(`${link}.new`, link);
}

describe("a watched file", () => {
	test("is reported when it is written in place, again and again", async () => {
		await writeFile(at("a.yaml"), "1");
		const watch = await started(at("a.yaml"));
		for (const text of ["2", "3", "4"]) {
			await writeFile(at("a.yaml"), text);
			expect(await watch.next()).toEqual([at("a.yaml")]);
		}
	});

	test("is reported when another is renamed over it, again and again", async () => {
		await writeFile(at("a.yaml"), "1");
		const watch = await started(at("a.yaml"));
		for (const text of ["2", "3", "4"]) {
			await replaceFile(at("a.yaml"), text);
			expect(await watch.next()).toEqual([at("a.yaml")]);
		}
		await writeFile(at("a.yaml"), "in place");
		expect(await watch.next()).toEqual([at("a.yaml")]);
	});

	test("is reported when it is deleted, and when it is made again", async () => {
		await writeFile(at("a.yaml"), "1");
		const watch = await started(at("a.yaml"));
		await rm(at("a.yaml"));
		expect(await watch.next()).toEqual([at("a.yaml")]);
		await writeFile(at("a.yaml"), "1");
		expect(await watch.next()).toEqual([at("a.yaml")]);
		await rm(at("a.yaml"));
		await writeFile(at("a.yaml"), "2");
		expect(await watch.next()).toEqual([at("a.yaml")]);
		await writeFile(at("a.yaml"), "3");
		expect(await watch.next()).toEqual([at("a.yaml")]);
	});

	test("is reported when it appears in folders that are not there yet", async () => {
		const watch = await started(at("etc", "solistend", "a.yaml"));
		await mkdir(at("etc"));
		await mkdir(at("etc", "solistend"));
		await writeFile(at("etc", "solistend", "a.yaml"), "1");
		expect(await watch.next()).toEqual([at("etc", "solistend", "a.yaml")]);
		await writeFile(at("etc", "solistend", "a.yaml"), "2");
		expect(await watch.next()).toEqual([at("etc", "solistend", "a.yaml")]);
	});

	test("is reported when its whole folder is exchanged for another", async () => {
		for (const name of ["conf", "conf.new"]) {
			await mkdir(at(name));
			await writeFile(at(name, "a.yaml"), name);
		}
		const watch = await started(at("conf", "a.yaml"));
		await rename(at("conf"), at("conf.old"));
		await rename(at("conf.new"), at("conf"));
		expect(await watch.next()).toEqual([at("conf", "a.yaml")]);
		await writeFile(at("conf", "a.yaml"), "2");
		expect(await watch.next()).toEqual([at("conf", "a.yaml")]);
	});

	test("is reported in one call with what else changed, and files beside it are not reported", async () => {
		await writeFile(at("a.yaml"), "1");
		await writeFile(at("b.yaml"), "1");
		await writeFile(at("c.yaml"), "1");
		const watch = await started(at("a.yaml"), at("b.yaml"), at("c.yaml"));
		await writeFile(at("beside.yaml"), "1");
		writeFileSync(at("b.yaml"), "2");
		expect(await watch.next()).toEqual([at("b.yaml")]);
		// In one go, and not right after the start: from then on, and from each first hint, only 100 ms are gathered.
		writeFileSync(at("c.yaml"), "2");
		writeFileSync(at("a.yaml"), "2");
		appendFileSync(at("c.yaml"), "3");
		expect(await watch.next()).toEqual([at("a.yaml"), at("c.yaml")]);
		expect(watch.calls).toBe(2);
	});
});

describe("a file behind symbolic links", () => {
	test("is reported when a link to it is switched, and when the new one is written in place", async () => {
		for (const name of ["one", "two"]) {
			await mkdir(at(name));
			await writeFile(at(name, "real.yaml"), name);
		}
		await symlink(at("one", "real.yaml"), at("a.yaml"));
		const watch = await started(at("a.yaml"));
		await writeFile(at("one", "real.yaml"), "first");
		expect(await watch.next()).toEqual([at("a.yaml")]);
		await switchLink(at("a.yaml"), at("two", "real.yaml"));
		expect(await watch.next()).toEqual([at("a.yaml")]);
		await writeFile(at("two", "real.yaml"), "second");
		expect(await watch.next()).toEqual([at("a.yaml")]);
	});

	test("is reported when the folder behind it is switched, as a Kubernetes ConfigMap is", async () => {
		for (const name of ["..one", "..two", "..three"]) {
			await mkdir(at(name));
			await writeFile(at(name, "a.yaml"), name);
			await writeFile(at(name, "b.hbs"), name);
		}
		await symlink("..one", at("..data"));
		await symlink("..data/a.yaml", at("a.yaml"));
		await symlink("..data/b.hbs", at("b.hbs"));
		const watch = await started(at("a.yaml"), folder);
		for (const [previous, current] of [
			["..one", "..two"],
			["..two", "..three"],
		] as const) {
			await switchLink(at("..data"), current);
			await rm(at(previous), { recursive: true });
			expect(await watch.next()).toEqual([at("a.yaml"), folder]);
		}
	});

	test("is absent when its links lead in a circle, and reported once they lead somewhere", async () => {
		await symlink("b.yaml", at("a.yaml"));
		await symlink("a.yaml", at("b.yaml"));
		const watch = await started(at("a.yaml"));
		await replaceFile(at("b.yaml"), "1");
		expect(await watch.next()).toEqual([at("a.yaml")]);
	});
});

describe("a watched folder", () => {
	test("is reported when a file in it is added, written, replaced or removed", async () => {
		await mkdir(at("templates"));
		const watch = await started(at("templates"));
		await writeFile(at("templates", "x.hbs"), "1");
		expect(await watch.next()).toEqual([at("templates")]);
		await writeFile(at("templates", "x.hbs"), "2");
		expect(await watch.next()).toEqual([at("templates")]);
		await replaceFile(at("templates", "x.hbs"), "3");
		expect(await watch.next()).toEqual([at("templates")]);
		await rm(at("templates", "x.hbs"));
		expect(await watch.next()).toEqual([at("templates")]);
	});

	test("is reported when it appears later, goes and comes back", async () => {
		const watch = await started(at("templates"));
		for (let round = 0; round < 2; round++) {
			await mkdir(at("templates"));
			expect(await watch.next()).toEqual([at("templates")]);
			await writeFile(at("templates", "x.hbs"), "1");
			expect(await watch.next()).toEqual([at("templates")]);
			await rm(at("templates"), { recursive: true });
			expect(await watch.next()).toEqual([at("templates")]);
		}
	});

	test("is not reported for editors' swap and backup files", async () => {
		await mkdir(at("templates"));
		const watch = await started(at("templates"), at("a.yaml"));
		await writeFile(at("templates", ".x.hbs.swp"), "1");
		await writeFile(at("templates", "x.hbs~"), "1");
		await writeFile(at("a.yaml"), "1");
		expect(await watch.next()).toEqual([at("a.yaml")]);
	});
});

describe.skipIf(skipPrivileged)("a folder that may not be read", () => {
	afterEach(() => {
		process.seteuid?.(0);
	});

	test("is reported once, and all else is still watched", async () => {
		await mkdir(at("closed", "open"), { recursive: true });
		await chmod(folder, 0o755);
		await chmod(at("closed"), 0o711);
		await writeFile(at("b.yaml"), "1");
		const errors: string[] = [];
		const calls: (() => void)[] = [];
		process.seteuid?.("nobody");
		const watch = await watchFiles(
			[at("closed", "open", "a.yaml"), at("b.yaml")],
			() => calls.shift()?.(),
			({ message }) => errors.push(message.replace(folder, "")),
		);
		open.push(watch);
		for (const path of [at("closed", "open", "a.yaml"), at("b.yaml")]) {
			const changed = new Promise<void>((resolve) => calls.push(resolve));
			process.seteuid?.(0);
			await writeFile(path, "2");
			process.seteuid?.("nobody");
			await changed;
		}
		expect(errors).toHaveLength(1);
		expect(errors[0]).toMatch(/^cannot watch \/closed \(let solistend's user read it, .*\): EACCES/);
	});
});

describe("closing", () => {
	test("leaves nothing watched, and nothing is called afterwards", async () => {
		const before = inotifyWatches();
		await writeFile(at("a.yaml"), "1");
		let calls = 0;
		const first = await watchFiles([at("a.yaml"), at("later", "templates")], () => calls++);
		const second = await watchFiles([at("a.yaml")], () => calls++);
		expect(inotifyWatches()).toBeGreaterThan(before);
		await writeFile(at("a.yaml"), "2");
		await Promise.all([first.close(), second.close()]);
		expect(inotifyWatches()).toBe(before);

		// A watch that is opened afterwards sees the change; the closed ones would have seen it before.
		const seen = calls;
		const watch = await started(at("a.yaml"));
		await writeFile(at("a.yaml"), "3");
		await watch.next();
		expect(calls).toBe(seen);
		await first.close();
	});

	test("tells of what changed just before, so that the next watch begins where this one ends", async () => {
		await writeFile(at("a.yaml"), "1");
		await writeFile(at("b.yaml"), "1");
		const told: (readonly string[])[] = [];
		const watch = await watchFiles([at("a.yaml"), at("b.yaml")], (changed) => void told.push(changed));
		await writeFile(at("a.yaml"), "2");
		await watch.close();
		expect(told).toEqual([[at("a.yaml")]]);
		await watch.close();
		expect(told).toHaveLength(1);
	});

	test("right after a folder was replaced leaves nothing watched either", async () => {
		const before = inotifyWatches();
		await mkdir(at("templates"));
		const watch = await watchFiles([at("templates")], () => undefined);
		await rm(at("templates"), { recursive: true });
		await mkdir(at("templates"));
		await watch.close();
		expect(inotifyWatches()).toBe(before);
	});
});

test("two watches of the same folder both follow it when it is replaced", async () => {
	await mkdir(at("templates"));
	const one = await started(at("templates"));
	const other = await started(at("templates"));
	for (let round = 0; round < 3; round++) {
		await rm(at("templates"), { recursive: true });
		await mkdir(at("templates"));
		await writeFile(at("templates", "x.hbs"), `${round}`);
		expect(await one.next()).toEqual([at("templates")]);
		expect(await other.next()).toEqual([at("templates")]);
		await writeFile(at("templates", "x.hbs"), `${round} again`);
		expect(await one.next()).toEqual([at("templates")]);
		expect(await other.next()).toEqual([at("templates")]);
	}
});
