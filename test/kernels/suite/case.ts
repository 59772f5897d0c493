/** What a case of the suite is, and what it is given. */

import type { Before } from "./before.js";
import type { Way } from "./report.js";
import type { Watched } from "./watched.js";

/** Where a case runs. */
export interface Where {
	/** Of the kernel, such as `[6, 1]`. */
	readonly version: readonly [major: number, minor: number];
	readonly way: Way;
}

/** One sensor serves all cases of a way, so each case looks at ports of its own only. */
export interface Host {
	readonly watched: Watched;
	/** What listened before the sensor was started. */
	readonly before: Before;
}

/** Why a case can't work somewhere, and the failure that proves it: any other failure, and none, is one of the suite. */
export interface Impossible {
	readonly because: string;
	/** What the error's message has to match. */
	readonly shows: RegExp;
}

export interface Case {
	readonly name: string;
	run(host: Host): Promise<void>;
	/** Undefined where it must work. */
	impossible?(where: Where): Impossible | undefined;
}

/** Cases that belong together in the table. */
export interface Group {
	readonly name: string;
	readonly cases: readonly Case[];
}

export const isOlder = ({ version: [major, minor] }: Where, thanMajor: number, thanMinor: number): boolean =>
	major < thanMajor || (major === thanMajor && minor < thanMinor);

/** Debian builds its kernels with MPTCP from 5.13 on. */
export const withoutMptcp =
	(shows: RegExp) =>
	(where: Where): Impossible | undefined =>
		isOlder(where, 5, 13) ? { because: "Debian built this kernel without MPTCP", shows } : undefined;
