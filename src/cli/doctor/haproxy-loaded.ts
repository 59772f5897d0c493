/** What doctor says of the files that HAProxy loads: the output has to be among them. */

import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Finding } from "../finding.js";
import { absolute, loadedBy, loadMend, loads } from "./haproxy-command.js";
import type { Running } from "./haproxy-running.js";
import { commandOf, linkOf } from "./processes.js";
import { COMMAND_PROPERTIES, commandOfUnit, showUnit } from "./unit.js";

/** The unit of packages. */
const HAPROXY_UNIT = "haproxy.service";

const NOT_LOADED = "what is written there is not served, and each reload brings back what was before";

/** Whether the output is among the files that the running HAProxy was started with: it includes no others. */
export async function loadedFinding(name: string, output: string, running: Running): Promise<Finding> {
	const unknown = (why: string): Finding => ({ name, state: "ok", detail: `not known: ${why}` });
	if (running.state === "unknown") return unknown(running.why);
	const { pid, place } = running;
	const written = loadedBy(commandOf(pid));
	const paths = absolute(written, linkOf(pid, "cwd"));
	if (paths === undefined) return unknown(`its files are ${written.join(", ")}, and this user may not see from where`);
	const who = place.unit === undefined ? `process ${pid}` : `process ${pid} of ${place.unit}`;
	const files = paths.map((path) => `-f ${path}`).join(" ");
	if (loads(paths, output, real)) return { name, state: "ok", detail: `HAProxy (${who}) has ${files}` };
	const mend = (await unitMend(place.unit, output)) ?? `start it with -f ${output}, too`;
	return { name, state: "failed", detail: `HAProxy (${who}) has ${files}, not ${output}: ${NOT_LOADED} (${mend})` };
}

/** What the unit says that HAProxy is started by, or was and has changed since. */
async function unitMend(unit: string | undefined, output: string): Promise<string | undefined> {
	const command = unit?.endsWith(".service") ? await unitCommand(unit) : undefined;
	if (unit === undefined || command === undefined) return undefined;
	const paths = loadedBy(command.words);
	if (!loads(paths, output, real)) return loadMend(unit, command, output);
	return `its unit says so by now: systemctl restart ${unit.replace(/\.service$/, "")}`;
}

/** Of a HAProxy that does not run: what it would load. None where its unit is not known. */
export async function willLoadFindings(name: string, output: string): Promise<Finding[]> {
	const command = await unitCommand(HAPROXY_UNIT);
	if (command === undefined) return [];
	const paths = loadedBy(command.words);
	const files = paths.map((path) => `-f ${path}`).join(" ");
	if (loads(paths, output, real)) return [{ name, state: "ok", detail: `${HAPROXY_UNIT} has ${files}` }];
	const mend = loadMend(HAPROXY_UNIT, command, output);
	return [{ name, state: "failed", detail: `${HAPROXY_UNIT} has ${files}, not ${output}: ${NOT_LOADED} (${mend})` }];
}

/** Undefined also where the unit runs another program, by which somebody started HAProxy. */
async function unitCommand(unit: string) {
	const properties = await showUnit(unit, ...COMMAND_PROPERTIES);
	const command = properties && (await commandOfUnit(properties));
	return basename(command?.words[0] ?? "").startsWith("haproxy") ? command : undefined;
}

/** What a path leads to; of a file that is not there yet, what its folder leads to. */
function real(path: string): string {
	try {
		return realpathSync(path);
	} catch {
		const folder = dirname(path);
		return folder === path ? path : join(real(folder), basename(path));
	}
}
