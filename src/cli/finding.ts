/** What `solistend doctor` says of one thing. */

/** `degraded`: it works, with less. `failed`: the daemon does not start, or can't do its work. */
export interface Finding {
	readonly name: string;
	readonly state: "ok" | "degraded" | "failed";
	readonly detail: string;
}
