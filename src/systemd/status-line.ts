/** What the daemon has and does, in the one line that `systemctl status` shows. Pure. */

/** What there is to say. */
export interface Summary {
	readonly services: number;
	/** Backends that are ready, of all services. */
	readonly ready: number;
	/** Backends that are not. */
	readonly out: number;
	/** Each with its state, such as `applied` or `failed`. */
	readonly proxies: readonly { readonly name: string; readonly state: string }[];
	readonly sensor: "up" | "down";
	/** Absent where there is no fleet. `why` is a clause, with its mend in parentheses. */
	readonly fleet?: { readonly state: "up" } | { readonly state: "frozen"; readonly why: string };
}

/** States that need nobody's attention. */
const FINE: ReadonlySet<string> = new Set(["applied", "observing"]);

/** Longest reason in the line, in characters. */
const MAX_WHY = 80;

/** What is wrong comes first: terminals cut lines. */
export function statusLine({ services, ready, out, proxies, sensor, fleet }: Summary): string {
	const wrong = proxies.filter(({ state }) => !FINE.has(state));
	const troubles = [
		...(sensor === "down" ? ["the sensor is down: pools stay as they are"] : []),
		...(fleet?.state === "frozen" ? [`the fleet is frozen: ${brief(fleet.why)}`] : []),
		...wrong.map(({ name, state }) => `proxy ${name} is ${state}`),
	];
	const fine = proxies.length - wrong.length;
	return [
		...troubles,
		`${counted(services, "service")} with ${counted(ready, "ready backend")}${out === 0 ? "" : ` and ${out} out`}`,
		...(fine === 0 ? [] : [`${fine === proxies.length ? "" : "other "}${fine === 1 ? "proxy" : "proxies"} fine`]),
	].join("; ");
}

/** Without the mend, which is in `solistend status`, and no longer than what leaves room for the rest. */
function brief(why: string): string {
	const clause = why.replace(/ \([^()]*\)$/, "");
	return clause.length > MAX_WHY ? `${clause.slice(0, MAX_WHY - 1).trimEnd()}…` : clause;
}

const counted = (count: number, name: string) => `${count} ${name}${count === 1 ? "" : "s"}`;
