/** What doctor says of `/proc`, as the daemon's user sees it: who listens is read there. Pure but for one file. */

import { readFileSync } from "node:fs";
import type { Finding } from "../finding.js";
import type { DaemonUser } from "./daemon-user.js";

const name = "/proc";

/** Modes of hidepid that hide other users' processes, by both of their names; proc(5). */
const HIDING = /^(?:1|2|4|noaccess|invisible|ptraceable)$/;

/** Bit of CAP_SYS_PTRACE, with which nothing is hidden; capabilities(7). */
const CAP_SYS_PTRACE = 19n;

/** By the mounts and rights of this process, and the unit's settings where the daemon is another user's. */
export function procFinding(user: DaemonUser): Finding {
	const status = readFileSync("/proc/self/status", "utf8");
	return judgeProc(readFileSync("/proc/self/mountinfo", "utf8"), user, user.isSelf && seesAll(status));
}

function seesAll(status: string): boolean {
	const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
	return ((mask >> CAP_SYS_PTRACE) & 1n) === 1n;
}

/**
 * @param mountinfo text of `/proc/self/mountinfo`
 * @param isTracer whether the daemon may trace all processes
 */
export function judgeProc(mountinfo: string, user: DaemonUser, isTracer: boolean): Finding {
	const why = "the cgroups and addresses of those who listen are not known then, and nobody gets into a pool";
	const failed = (what: string, mend: string): Finding => ({
		name,
		state: "failed",
		detail: `${what}: ${why} (${mend})`,
	});
	for (const [setting, harmless] of [
		["ProtectProc", "default"],
		["ProcSubset", "all"],
	] as const) {
		const value = user.unit?.get(setting)?.[0] ?? harmless;
		if (value === harmless || value === "") continue;
		const mend = `systemctl edit solistend: [Service] ${setting}=${harmless}; systemctl restart solistend`;
		return failed(`solistend.service has ${setting}=${value}`, mend);
	}
	const options = optionsOf(mountinfo);
	const hidepid = options.get("hidepid");
	if (hidepid === undefined || !HIDING.test(hidepid)) return { name, state: "ok", detail: "shows all processes" };
	const mode = `it is mounted with hidepid=${hidepid}`;
	if (isTracer) return { name, state: "ok", detail: `${mode}, which hides nothing from user ${user.name}` };
	// With ptraceable, the mount's group sees no more than others.
	const group = /^(?:4|ptraceable)$/.test(hidepid) ? undefined : Number(options.get("gid") ?? 0);
	if (group !== undefined && user.groups.includes(group)) {
		return { name, state: "ok", detail: `${mode}, and user ${user.name} is in its group ${group}, which sees all` };
	}
	return failed(`${mode}, which hides other users' processes from user ${user.name}`, mountMend(group));
}

/** @param group that sees all: 0 where none is named, which is root's */
function mountMend(group: number | undefined): string {
	const join = (name: string | number) =>
		`systemctl edit solistend: [Service] SupplementaryGroups=${name}; systemctl restart solistend`;
	if (group === undefined) return "hidepid=invisible,gid=GROUP in /etc/fstab in its place; mount -o remount /proc";
	if (group !== 0) return join(group);
	return `groupadd --system proc; gid=proc beside hidepid in /etc/fstab; mount -o remount /proc; ${join("proc")}`;
}

/** Options of the last procfs that is mounted at /proc, which is the one that is seen. */
function optionsOf(mountinfo: string): Map<string, string> {
	const mounts = mountinfo.split("\n").filter((line) => /^\S+ \S+ \S+ \/ \/proc .* - proc /.test(line));
	const options = (mounts.at(-1) ?? "").split(" ").at(-1) ?? "";
	return new Map(options.split(",").map((option) => [option.split("=")[0] ?? "", option.split("=")[1] ?? ""]));
}
