/**
 * The one error type of the project. What it says is meant for the person who reads it: what failed, where, and
 * how to mend it.
 */

/** What kind of trouble it is; decides the exit code and whether a stack is worth printing. */
export type ErrorCode =
	/** The user's configuration, template or command line is wrong. */
	| "config"
	/** A privilege is missing. */
	| "privilege"
	/** The host lacks something: a library, a kernel feature, a program. */
	| "unsupported"
	/** A program that we ran, or a proxy that we talked to, failed or did not answer in time. */
	| "proxy"
	/** The sensor failed while running. */
	| "sensor"
	/** A thread can't be ended: neither can the process, but by SIGKILL, since Node waits for its threads. */
	| "stuck"
	/** No daemon answers, where a command needs one. */
	| "daemon";

/** An error whose message is complete: lower-case verb phrase, the place, then the mend in parentheses. */
export class SolistendError extends Error {
	override readonly name = "SolistendError";
	readonly code: ErrorCode;

	constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
