import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { ProviderFailure, ProviderFailureKind } from '../providers/provider.ts'

/** What a caller is told of each failure once the code may be spent: "start again". */
const spent: Readonly<Record<ProviderFailureKind, ProblemName>> = {
  invalid_grant: 'code-rejected',
  timeout: 'provider-timeout',
  invalid_response: 'provider-invalid-response',
  misconfigured: 'provider-misconfigured',
  rate_limited: 'provider-error',
  unavailable: 'provider-error',
}

/** A provider's failure as the caller of finish meets it; where the code is unspent, the same request may be repeated. */
export function refusalOf(failure: ProviderFailure, provider: string): Problem {
  if (failure.codeUnspent)
    return new Problem('provider-unavailable', {
      values: { provider },
      retryAfter: failure.retryAfter ?? 1,
      cause: failure,
    })
  return new Problem(spent[failure.kind], { values: { provider }, cause: failure })
}
