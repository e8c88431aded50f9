/** What both adapters keep of failed jobs. */
export const failedKeptMax = 10_000;
export const failedKeptMs = 30 * 24 * 3_600_000;

export const dataBytesMax = 4096;
export const attemptsMax = 20;
export const delayMsMax = 30 * 24 * 3_600_000;
export const backoffMsMax = 3_600_000;
