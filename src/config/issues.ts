/** From zod's issues to findings: one for each thing that a person has to change. Pure. */

import type { z } from "zod";
import { keysAt, unknownKey } from "./keys.js";
import type { Finding } from "./problem.js";

type Path = readonly PropertyKey[];

/** The findings of a failed parse with `schema`. */
export function findingsOf(schema: z.core.$ZodType, issues: readonly z.core.$ZodIssue[], above: Path = []): Finding[] {
	return issues.flatMap((issue): Finding[] => {
		const path = [...above, ...issue.path];
		switch (issue.code) {
			case "unrecognized_keys":
				return issue.keys.map((key) => ({
					path: [...path, key],
					on: "key",
					message: unknownKey(key, keysAt(schema, path)),
				}));
			case "invalid_key":
				return [{ path, on: "key", message: issue.issues[0]?.message ?? issue.message }];
			case "invalid_union": {
				const meant = meantBranch(issue.errors);
				return meant === undefined ? [{ path, on: "value", message: issue.message }] : findingsOf(schema, meant, path);
			}
			default:
				return [{ path, on: "value", message: issue.message }];
		}
	});
}

/** The branch of a union that the value was meant for: of those that take its type, the one with the least wrong. */
function meantBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
	const possible = branches.filter((issues) => !issues.some(ofAnotherType));
	return possible.toSorted((a, b) => a.length - b.length)[0];
}

/** Whether the value as a whole, and not a part of it, is of another kind than the branch takes. */
function ofAnotherType(issue: z.core.$ZodIssue): boolean {
	if (issue.path.length > 0) return false;
	if (issue.code === "invalid_union") return issue.errors.every((branch) => branch.some(ofAnotherType));
	// a literal, such as the false of `flap`
	if (issue.code === "invalid_value") return true;
	return issue.code === "invalid_type" && !(issue.expected === "int" && typeof issue.input === "number");
}
