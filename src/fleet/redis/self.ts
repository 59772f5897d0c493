/** What this host says of itself, as text; and how long the others may take to drain it. Pure. */

import { version } from "../../version.js";
import type { OfferedService } from "../offer.js";
import { readAbout, writeAbout } from "./wire.js";

export interface Self {
	/** As in `@about`. */
	readonly text: string;
	readonly isDraining: boolean;
	/** The longest `drainTimeout` of the services that exist by label, in milliseconds; 0 without any. */
	readonly longestDrainMs: number;
	declare(services: readonly OfferedService[]): void;
	drain(isDraining: boolean): void;
	/** Goes on draining, where an earlier run said so; whether that is news. */
	carryOn(earlier: string | undefined): boolean;
}

/** Edges take no more services of one host than that (see wire.ts). */
const MOST_SERVICES = 1024;

/** @param lease in milliseconds */
export function createSelf(zone: string | undefined, lease: number): Self {
	let services: readonly OfferedService[] = [];
	let isDraining = false;
	let text = "";
	const write = () => {
		text = writeAbout({
			version,
			...(zone !== undefined && { zone }),
			lease,
			draining: isDraining,
			services: services.map((service) => ({ ...service, hosts: [...service.hosts] })),
		});
	};
	write();

	return {
		get text() {
			return text;
		},
		get isDraining() {
			return isDraining;
		},
		get longestDrainMs() {
			return Math.max(0, ...services.map(({ drainTimeout }) => drainTimeout));
		},
		declare(declared) {
			services = declared.slice(0, MOST_SERVICES);
			write();
		},
		drain(wanted) {
			isDraining = wanted;
			write();
		},
		carryOn(earlier) {
			const read = readAbout(earlier ?? "");
			if (isDraining || !read.ok || !read.value.draining) return false;
			isDraining = true;
			write();
			return true;
		},
	};
}
