/**
 * The user that runs the daemon, and what that one may open: root may all, and so sees nothing of what stops another. Asks
 * the kernel, as that user, instead of reading modes: there are access lists, too.
 */

import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Properties, showUnit } from "./unit.js";

export interface DaemonUser {
	readonly name: string;
	readonly uid: number;
	/** The first one is its own; then those that it is in beside. */
	readonly groups: readonly number[];
	/** Whether it is the user of this very process: then what was tried is how it is. */
	readonly isSelf: boolean;
	/** The daemon's unit; absent where there is none. */
	readonly unit?: Properties;
}

export const UNIT = "solistend.service";
const USER = "solistend";

const PROPERTIES = [
	"User",
	"Group",
	"SupplementaryGroups",
	"ProtectProc",
	"ProcSubset",
	"ProtectSystem",
	"ReadWritePaths",
];

/**
 * Whom the unit names; without a unit the user called solistend, where there is one. Who is not root can't look as somebody
 * else, and stands for the daemon's user.
 */
export async function findDaemonUser(): Promise<DaemonUser> {
	const [uid = 0, gid = 0, groups = []] = [process.getuid?.(), process.getgid?.(), process.getgroups?.()];
	const self: DaemonUser = { name: await nameOf(uid), uid, groups: [...new Set([gid, ...groups])], isSelf: true };
	if (uid !== 0) return self;
	const unit = await showUnit(UNIT, ...PROPERTIES);
	const name = unit?.get("User")?.[0] || (unit === undefined ? USER : "root");
	const id = await ask("id", "-u", name);
	if (id === undefined) return self;
	const own = await Promise.all([
		groupOf(unit?.get("Group")?.[0] ?? ""),
		...(unit?.get("SupplementaryGroups")?.[0] ?? "").split(" ").map(groupOf),
	]);
	const known = (await ask("id", "-G", name))?.split(" ").map(Number) ?? [];
	const all = new Set([...own.slice(0, 1), ...known, ...own.slice(1)].filter((group) => group !== undefined));
	return { name, uid: Number(id), groups: [...all], isSelf: Number(id) === 0, ...(unit && { unit }) };
}

/** What keeps a user from a file: the file itself, or the first folder on the way to it. */
export interface Obstacle {
	readonly path: string;
	readonly kind: "thing" | "folder";
}

/**
 * What keeps the user from reading or writing `path`; undefined where nothing does, and where the thing is not there: that
 * is another trouble.
 */
export async function obstacleOf(
	user: DaemonUser,
	path: string,
	right: "read" | "write",
): Promise<Obstacle | undefined> {
	for (const folder of foldersOf(path)) {
		if (!(await may(user, folder, "enter")))
			return (await isThere(folder)) ? { path: folder, kind: "folder" } : undefined;
	}
	if ((await may(user, path, right)) || !(await isThere(path))) return undefined;
	return { path, kind: "thing" };
}

/**
 * How that user gets past it, in a clause.
 *
 * @param mend of the thing itself, where no group has the right; default: to change its mode
 */
export async function waysPast(
	{ path, kind }: Obstacle,
	user: DaemonUser,
	right: "read" | "write",
	mend?: string,
): Promise<string> {
	const { mode, gid } = await stat(path);
	const group = (await ask("getent", "group", String(gid)))?.split(":")[0] ?? String(gid);
	const isFolder = kind === "folder";
	return wayPast({ path, mode, gid, group }, user, isFolder ? "enter" : right, isFolder ? undefined : mend);
}

const BITS = { enter: 0o010, read: 0o040, write: 0o020 } as const;
const LETTERS = { enter: "x", read: "r", write: "w" } as const;

/**
 * By a group where one has the right already, which others rely on; else by giving it to a group of the user's. Pure.
 *
 * @param found owner and mode of what is in the way
 */
export function wayPast(
	found: { readonly path: string; readonly mode: number; readonly gid: number; readonly group: string },
	user: DaemonUser,
	right: keyof typeof BITS,
	mend = `chgrp ${user.name} ${found.path} && chmod g+${LETTERS[right]} ${found.path}`,
): string {
	if ((found.mode & BITS[right]) === 0 || found.gid === 0) return mend;
	if (user.unit === undefined)
		return `usermod --append --groups ${found.group} ${user.name}, then start the daemon anew`;
	return `systemctl edit solistend: [Service] SupplementaryGroups=${found.group}; systemctl restart solistend`;
}

/** `/`, `/a` and `/a/b` on the way to `/a/b/c`. */
function foldersOf(path: string): string[] {
	const folder = dirname(path);
	return folder === path ? [] : [...foldersOf(folder), folder];
}

const FLAGS = { enter: constants.X_OK, read: constants.R_OK, write: constants.W_OK } as const;

/** The kernel's word: of this process, or of one that became the user. */
async function may(user: DaemonUser, path: string, right: keyof typeof BITS): Promise<boolean> {
	if (user.isSelf) return succeeds(access(path, FLAGS[right]));
	const [own = user.uid, ...others] = user.groups;
	const groups = others.length === 0 ? "--clear-groups" : `--groups=${others.join(",")}`;
	const words = [`--reuid=${user.uid}`, `--regid=${own}`, groups, "--", "test", `-${LETTERS[right]}`, path];
	return (await ask("setpriv", ...words)) !== undefined;
}

const isThere = (path: string) => succeeds(stat(path));

const succeeds = (attempt: Promise<unknown>) =>
	attempt.then(
		() => true,
		() => false,
	);

const nameOf = async (uid: number) => (await ask("id", "-un", String(uid))) ?? String(uid);

async function groupOf(name: string): Promise<number | undefined> {
	if (name === "") return undefined;
	const gid = Number((await ask("getent", "group", name))?.split(":")[2]);
	return Number.isNaN(gid) ? undefined : gid;
}

/** What a program says; undefined where it fails. */
async function ask(program: string, ...words: readonly string[]): Promise<string | undefined> {
	const { execa } = await import("execa");
	const { stdout, failed } = await execa(program, words, { reject: false, stdin: "ignore", timeout: 5000 });
	return failed ? undefined : stdout.trim();
}
