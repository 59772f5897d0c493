export async function render(..._args: unknown[]): Promise<number> {
	return 1;
}
