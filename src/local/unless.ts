/** Docker's answer where what was asked for is so already. */
export const unless =
  (...codes: readonly number[]) =>
  (thrown: unknown): void => {
    const status = (thrown as { statusCode?: number }).statusCode;
    if (status === undefined || !codes.includes(status)) throw thrown;
  };
