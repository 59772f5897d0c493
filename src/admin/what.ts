/** What a person means by a word: a service, a backend of all services, or a backend of one. Pure. */

import { nearest } from "../config/nearest.js";
import { printable } from "../config/wording.js";
import type { BackendName } from "./view.js";

/** The backends that are meant, or why it is none. */
export type Meant =
	| { readonly ok: true; readonly backends: readonly BackendName[] }
	| { readonly ok: false; readonly message: string };

/** Names that an answer lists at most. */
const LISTED = 20;

/**
 * @param what `service/address:port`, `address:port` or the name of a service, in this order
 * @param services names of all services, also of those without backends
 * @param backends those to choose from
 */
export function meantBy(what: string, services: readonly string[], backends: readonly BackendName[]): Meant {
	const exact = backends.filter(({ service, id }) => `${service}/${id}` === what);
	const byId = backends.filter(({ id }) => id === what);
	const byService = backends.filter(({ service }) => service === what);
	const meant = [exact, byId, byService].find(({ length }) => length > 0);
	if (meant !== undefined) return { ok: true, backends: meant };
	const names = backends.map(({ service, id }) => `${service}/${id}`);
	if (services.includes(what)) return { ok: false, message: `service ${what} has no backends` };
	const guess = nearest(what, [...services, ...names, ...backends.map(({ id }) => id)]);
	const hint = guess === undefined ? "" : `, did you mean ${guess}?`;
	return {
		ok: false,
		message: `nothing is named "${printable(what)}"${hint} (services: ${listed(services)}; backends: ${listed(names)})`,
	};
}

/** Names in a message, not more than a person reads. */
export function listed(names: readonly string[]): string {
	if (names.length === 0) return "none";
	const rest = names.length - LISTED;
	return `${names.slice(0, LISTED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
