/** Which keys a place in the configuration takes, and the one that was probably meant. Pure. */

import { z } from "zod";
import { nearest } from "./nearest.js";

/** What is inside a schema that only adds a default, makes a key optional, converts, or has another form beside. */
function inner(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
	let current = schema;
	for (;;) {
		if (current instanceof z.ZodPipe) current = current.in;
		else if (current instanceof z.ZodDefault || current instanceof z.ZodPrefault || current instanceof z.ZodOptional) {
			current = current.unwrap();
		} else if (current instanceof z.ZodUnion) {
			// of alternatives, the one that has keys
			const map = current.options.map(inner).find((option) => option instanceof z.ZodObject);
			if (map === undefined) return current;
			current = map;
		} else return current;
	}
}

/** The keys that the map at a path takes; none where the schema names no keys. */
export function keysAt(root: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
	let schema = inner(root);
	for (const step of path) {
		if (schema instanceof z.ZodObject) schema = inner(schema.shape[String(step)]);
		else if (schema instanceof z.ZodArray) schema = inner(schema.element);
		else if (schema instanceof z.ZodRecord) schema = inner(schema.valueType);
		else return [];
	}
	return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** The message for a key that the schema does not know. */
export function unknownKey(key: string, allowed: readonly string[]): string {
	const near = nearest(key, allowed);
	const guess = near === undefined ? "" : `, did you mean ${near}?`;
	return `unknown key${guess} (allowed: ${allowed.join(", ")})`;
}
