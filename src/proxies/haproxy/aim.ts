/** How a server of HAProxy is to be for a backend, and the steps from how it is. Pure; the same for one change and for a plan. */

import { type Backend, placeOf } from "../../backends/backend.js";
import { afterStep, type ServerStep } from "./commands.js";
import type { DeclaredServer } from "./declared.js";
import type { AdminState, LiveServer } from "./live.js";
import { NO_PLACE } from "./slots.js";

/** What is undefined is of no concern. */
export interface Aim {
	/** `address:port`; of a free slot {@link NO_PLACE}, which is of no concern either. */
	readonly address: string | undefined;
	readonly weight: number | undefined;
	readonly state: AdminState;
	/** The rest of its line, for one that is to be added. */
	readonly options: string;
}

/** The server in a slot: of a backend, or of nobody. */
export function aimOf(backend: Backend | undefined, options: string): Aim {
	if (backend === undefined) return { address: NO_PLACE, weight: undefined, state: "maint", options };
	const { id, state } = backend;
	const weight = weightOf(backend);
	return { address: id, weight, state: state === "drain" ? "drain" : state === "down" ? "maint" : "ready", options };
}

/** A backup gets nothing; HAProxy's own would get work only once all others are down, and not when they drain. */
export const weightOf = ({ weight, backup }: Pick<Backend, "weight" | "backup">): number => (backup ? 0 : weight);

/** A server as a template of somebody's own names it. */
export function aimOfLine({ address, weight, disabled, options }: DeclaredServer): Aim {
	return { address, weight, state: disabled ? "maint" : "ready", options };
}

export interface OfServer {
	readonly backend: string;
	readonly server: string;
}

/**
 * The steps for a server that is there. A free slot keeps its last address: nothing is sent to it.
 * @param checksOff whether HAProxy's own checks of it are to be off; else they are none of our business
 */
export function changeServer(of: OfServer, has: LiveServer, aim: Aim, checksOff: boolean): ServerStep[] {
	const steps: ServerStep[] = [];
	// Out first, in last.
	if (aim.state === "maint" && has.admin !== "maint") steps.push({ kind: "state", ...of, state: "maint" });
	const isPlace = aim.address !== has.address && !(aim.state === "maint" && aim.address === NO_PLACE);
	const place = isPlace && aim.address !== undefined ? placeOf(aim.address) : undefined;
	if (place !== undefined) steps.push({ kind: "address", ...of, ...place });
	if (aim.state !== "maint" && aim.weight !== undefined && aim.weight !== has.weight) {
		steps.push({ kind: "weight", ...of, weight: aim.weight });
	}
	let { checks } = has;
	if (aim.state !== "maint" && has.admin !== aim.state) {
		// Maintenance pauses its checks, and they go on after it only if they are on as it ends.
		if (checksOff && has.admin === "maint" && checks === "off") {
			steps.push({ kind: "checks", ...of, on: true });
			checks = "on";
		}
		steps.push({ kind: "state", ...of, state: aim.state });
	}
	if (checksOff && checks === "on") steps.push({ kind: "checks", ...of, on: false });
	if (aim.state !== "maint" && checksOff && !has.running && checks !== "none") steps.push({ kind: "up", ...of });
	return steps;
}

/** The steps for a server that is not there, where HAProxy takes new ones. */
export function addServer(of: OfServer, aim: Aim, checksOff: boolean): ServerStep[] {
	const place = aim.address === undefined ? undefined : placeOf(aim.address);
	if (place === undefined) return [];
	const add: ServerStep = { kind: "add", ...of, ...place, weight: aim.weight ?? 1, options: aim.options };
	const added = afterStep(undefined, add);
	return added === undefined ? [add] : [add, ...changeServer(of, added, aim, checksOff)];
}
