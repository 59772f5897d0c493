/**
 * The daemon's side of `apply: unit`: leaves a request, has root's unit started, which carries it out, and waits for the
 * result. Takes the place of a transaction, and ends as one does. Knows nothing of what root makes of it.
 */

import { SolistendError } from "../../errors.js";
import { runCommand } from "../command.js";
import { type Outcome, UNTOUCHED } from "../driver.js";
import type { Transact } from "../transaction.js";
import { leaveRequest, outcomeOf, RESULTS, readResult } from "./request.js";

export interface ByUnitOptions {
	/** The proxy's name. */
	readonly name: string;
	/** The folder of requests, as it is configured now. */
	state(): string;
	/** Where results are found; default: as the unit leaves them. */
	readonly results?: string;
	/** Starts a unit and waits for its end; default: systemctl. Tests put others here. */
	readonly start?: (unit: string, signal: AbortSignal) => Promise<void>;
}

/** Longer than the unit may take (TimeoutStartSec). */
const UNIT_TIMEOUT_MS = 130_000;

/** A unit that was running already, for a daemon that is gone, is waited for, and started again. */
const ATTEMPTS = 3;

/**
 * What of a transaction is for root to do. Once the signal is aborted nobody waits any more, but the unit finishes what it
 * has begun: whoever comes next finds it done, or not confirmed.
 */
export function transactByUnit({ name, state, results = RESULTS, start = startUnit }: ByUnitOptions): Transact {
	return async ({ text, reload, unconfirmed = false }, signal) => {
		const failed = (error: SolistendError): Outcome => {
			return { kind: "failed", stage: "stage", error, serving: UNTOUCHED, stagesMs: {} };
		};
		try {
			const what = { reload: reload !== undefined, unconfirmed };
			const id = await leaveRequest(state(), name, { ...what, ...(text !== undefined && { text }) });
			const unit = `solistend-apply@${name}.service`;
			for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
				signal.throwIfAborted();
				const trouble = await troubleOf(start(unit, signal), signal);
				const found = await readResult(results, name);
				if (found?.id === id) return outcomeOf(found);
				if (trouble === undefined) continue;
				const { code, message } = trouble;
				const mend = `journalctl -u ${unit} has why, if it ran; else see whether polkit lets this user start it`;
				return failed(new SolistendError(code, `${message} (${mend})`, { cause: trouble }));
			}
			return failed(new SolistendError("proxy", `${unit} ended ${ATTEMPTS} times and left no result in ${results}`));
		} catch (error) {
			signal.throwIfAborted();
			if (error instanceof SolistendError) return failed(error);
			throw error;
		}
	};
}

/** What a start ended with, where it did not end well: the unit fails, too, where it has a result that says why. */
async function troubleOf(started: Promise<void>, signal: AbortSignal): Promise<SolistendError | undefined> {
	try {
		await started;
		return undefined;
	} catch (error) {
		signal.throwIfAborted();
		if (error instanceof SolistendError) return error;
		throw error;
	}
}

function startUnit(unit: string, signal: AbortSignal): Promise<void> {
	return runCommand({
		what: "start",
		// Nobody is there to be asked for a password.
		command: ["systemctl", "start", "--no-ask-password", unit],
		output: "",
		timeoutMs: UNIT_TIMEOUT_MS,
		signal,
	});
}
