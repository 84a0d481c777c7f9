import type { OpenapiDocument, Operation } from '../openapi-document.ts'

/** An operation with its place, and the names of the problems that it documents. */
export interface PlacedOperation {
  /** `POST /api/v1/oauth/refresh/` */
  readonly id: string
  readonly operation: Operation
  readonly problems: ReadonlySet<string>
}

/** All operations of a document, in its order. */
export function operations(document: OpenapiDocument): PlacedOperation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: `${method.toUpperCase()} ${path}`,
      operation,
      problems: new Set(
        Object.keys(operation.responses).flatMap((status) => problemNamesOf(operation, status)),
      ),
    })),
  )
}

/** The problems that an operation documents for a status: the names of the examples of its body. */
export function problemNamesOf(operation: Operation, status: string): string[] {
  if (Number(status) < 400) return []
  const [body] = Object.values(operation.responses[status]?.content ?? {})
  return Object.keys(body?.examples ?? {})
}
