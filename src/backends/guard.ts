/** How much of a service may leave at once: numbers in, numbers out. Pure; knows no backend by name. */

/** Fewer than these leave without a second look, whatever share they are. */
const MIN_DROP = 3;

/** Shares are decimal fractions in binary: 0.29 of 100 are 29. */
const EPSILON = 1e-9;

/**
 * Whether a step has to wait for a read to confirm it, since it takes out too much at once for a reason other than the
 * kernel's word that a socket closed.
 *
 * @param going how many backends the step takes out
 * @param size how many the service had before it
 * @param maxDrop share of the service, 0 to 1
 */
export function mustConfirm(going: number, size: number, maxDrop: number): boolean {
	return going >= MIN_DROP && going > size * maxDrop + EPSILON;
}

/**
 * How many of those that listen, but should not get new work, may be out: never more than the share, but one at least,
 * and never so many that nobody is ready.
 *
 * @param asked how many should be out
 * @param listening how many backends of the service listen, whatever else is said of them
 * @param others how many are ready besides those that are asked about
 * @param maxEjected share of those that listen, 0 to 1
 * @param outAlready how many are out by another judgement
 */
export function ejectable(
	asked: number,
	listening: number,
	others: number,
	maxEjected: number,
	outAlready = 0,
): number {
	const share = Math.max(1, Math.floor(listening * maxEjected + EPSILON) - outAlready);
	return Math.max(0, Math.min(asked, share, asked + others - 1));
}
