/** For a step to be reached on a machine that has other things to do. */
export const HIT_SECONDS = 60;
