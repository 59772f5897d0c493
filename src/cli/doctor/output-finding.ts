/** What doctor says of a proxy's output: whether who writes it may do so. */

import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../../errors.js";
import { requireRootOnly } from "../../proxies/apply/root-only.js";
import type { Finding } from "../finding.js";
import { type DaemonUser, obstacleOf } from "./daemon-user.js";
import type { Properties } from "./unit.js";

/** @param writer `root`: by `apply: unit`; then only where nobody else may write */
export async function outputFinding(name: string, output: string, writer: DaemonUser | "root"): Promise<Finding> {
	if (writer === "root") return rootOutputFinding(name, output);
	const folder = dirname(output);
	const failed = (detail: string): Finding => ({ name, state: "failed", detail });
	const isFolder = await stat(folder).then(
		(found) => found.isDirectory(),
		() => false,
	);
	if (!isFolder) return failed(`the folder ${folder} does not exist (make it)`);
	const obstacle = await obstacleOf(writer, folder, "write");
	if (obstacle !== undefined) {
		const mend = "give this user the right, or choose another";
		if (writer.isSelf) return failed(`the folder ${folder} is not writable (${mend})`);
		const what = obstacle.kind === "folder" ? `can't be entered beyond ${obstacle.path}` : "is not writable";
		const ways = `install -d -o ${writer.name} ${folder}, or choose another`;
		return failed(`the folder ${folder} ${what} to user ${writer.name}, which runs the daemon (${ways})`);
	}
	if (writer.unit !== undefined && isSealed(folder, writer.unit)) {
		const mend = `systemctl edit solistend: [Service] ReadWritePaths=${folder}; systemctl restart solistend`;
		return failed(`the folder ${folder} is read only to solistend.service, by its ProtectSystem=strict (${mend})`);
	}
	return { name, state: "ok", detail: writer.isSelf ? output : `${output}, by user ${writer.name}` };
}

/** With `apply: unit`, root writes only where nobody else does. */
async function rootOutputFinding(name: string, output: string): Promise<Finding> {
	try {
		await requireRootOnly(output, "the output");
		return { name, state: "ok", detail: `${output}, by root` };
	} catch (error) {
		return { name, state: "failed", detail: messageOf(error) };
	}
}

/** The folders that systemd makes for the unit. */
const OWN_FOLDERS = ["/var/lib/solistend", "/run/solistend"];

/** Whether a unit sees a folder as read only, whoever owns it; systemd.exec(5). Pure. */
export function isSealed(folder: string, unit: Properties): boolean {
	if (unit.get("ProtectSystem")?.[0] !== "strict") return false;
	const listed = (unit.get("ReadWritePaths")?.[0] ?? "").split(" ").map((path) => path.replace(/^[-+]+/, ""));
	const open = [...OWN_FOLDERS, ...listed].filter((path) => path !== "").map((path) => path.replace(/\/+$/, ""));
	return !open.some((path) => `${folder}/`.startsWith(`${path}/`));
}
