/**
 * An error whose message is the whole story: one or more sentences for an operator, which a process prints without
 * a stack. It never holds a password, a token or a key.
 */
export abstract class OperatorError extends Error {}
