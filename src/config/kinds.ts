/** Kinds of values that the configuration has in many places, each with how it is written and what it becomes. */

import { z } from "zod";
import { parseDuration } from "../duration.js";
import { LONGEST_MS, NAME } from "./rules.js";
import { mustBe } from "./wording.js";

const A_DURATION = mustBe("a duration with its unit (250ms, 2s, 5m or 1h)");

const durationText = z
	.string({ error: A_DURATION })
	.regex(/^\d+(\.\d+)?(ms|s|m|h)$/, { error: A_DURATION })
	.meta({ title: "duration" });

const toMs = (least: string) => (text: string, context: z.RefinementCtx) => {
	const ms = parseDuration(text);
	if (ms !== undefined && ms >= (parseDuration(least) ?? 0) && ms <= LONGEST_MS) return ms;
	context.addIssue({ code: "custom", message: `must be a duration from ${least} to 24h, not ${text}` });
	return z.NEVER;
};

/** Written as `250ms`, `2s`, `5m`; milliseconds once parsed. Not shorter than `least`, where 0 would be a busy loop. */
export const duration = (fallback: string, least = "0s") => durationText.default(fallback).transform(toMs(least));

/** The same, where there is none unless one is given. */
export const anyDuration = (least: string) => durationText.transform(toMs(least)).optional();

/** A name that can stand in a proxy's configuration unquoted. */
export const name = (what: string) =>
	z
		.string()
		.regex(NAME, {
			error: mustBe(`${what} of letters, digits and _ . : - (63 at most, the first a letter, digit or _)`),
		})
		.meta({ title: "name" });

/** One value or a list of them; always a list once parsed. */
export const oneOrMany = <T extends z.ZodType>(item: T, what: string) =>
	z.union([item.transform((one) => [one]), z.array(item).min(1, "an empty list matches nothing (leave the key out)")], {
		error: mustBe(what),
	});

/** Written as `50%`; a share from 0 to 1 once parsed. */
export const percentage = (fallback: string) =>
	z
		.string({ error: mustBe("a percentage such as 50%") })
		.regex(/^\d{1,3}%$/, { error: mustBe("a percentage such as 50%") })
		.meta({ title: "percentage" })
		.default(fallback)
		.transform((text, context) => {
			const percent = Number(text.slice(0, -1));
			if (percent <= 100) return percent / 100;
			context.addIssue({ code: "custom", message: `must be a percentage from 0% to 100%, not ${text}` });
			return z.NEVER;
		});

export const absolutePath = z
	.string()
	.regex(/^\//, { error: mustBe("an absolute path") })
	.meta({ title: "absolute path" });

const A_NETWORK = { error: mustBe("a network, such as 10.0.0.0/8 or fd00::/8") };

export const network = z.union([z.cidrv4(A_NETWORK), z.cidrv6(A_NETWORK)], A_NETWORK).meta({ title: "network" });
