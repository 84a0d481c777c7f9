import type { ProblemName, ProblemText, ProblemWords } from './table.ts'

/** What the codes of a redirect's difference, a parameter's rule and a limited caller mean, in English. */
export const wordsEn: ProblemWords = {
  difference: {
    scheme: 'the scheme (http or https)',
    port: 'the port',
    case: 'upper and lower case letters',
    'trailing-slash': 'the slash at its end',
    path: 'the path',
    query: 'the part after the question mark',
  },
  rule: {
    string: 'it must be one text value',
    'not-empty': 'it must not be empty',
    'too-long': 'it is too long',
    s256: 'code_challenge must be 43 base64url characters and code_challenge_method must be S256',
    format: 'it does not have the form given in the API reference',
    select_account: 'the only value allowed is select_account',
    'response-type': 'the only value allowed is code',
    'response-mode': 'the values allowed are query and form_post',
    'not-supported': 'this service does not support it; leave it out',
    'no-session':
      'the service keeps no session in the browser, so it cannot answer without asking the person',
    ip: 'it must be one IP address, IPv4 or IPv6, without a port',
    unknown: 'there is no parameter of this name here',
    'not-as-in-basic':
      'it is not what the Authorization header holds; send id and secret in one of the two places only',
    'beside-code': 'it may not come together with code',
    file: 'it came as a file; send it as a plain field, without a file name',
  },
  hint: {
    entity: 'the body has &amp; or the like where a plain & belongs',
    encoded: 'the body is percent-encoded as a whole, but only names and values may be',
    separator: 'the body does not separate its parameters by &',
    json: 'the body is JSON, but its Content-Type says that it is a form',
  },
  where: {
    body: 'a POST request takes its parameters from the body only, not from the address',
    callback: 'the provider sent the person back without it, so start the login again',
  },
  came: {
    'other-code': 'pass code on exactly as it came to your return URL, without decoding it twice',
    'late-error': 'the provider sent an error afterwards, which changes nothing: the first code counts',
  },
  who: {
    'site-and-address': 'requests for this site from this address without its secret',
    site: 'requests of this site with its secret',
    'site-and-visitor': 'starts of this site for one visitor',
    session: 'requests about one session',
    'invalid-tokens': 'requests from this address with a token that is not of this service',
    address: 'requests from this address',
    'failed-finishes': 'finishes from this address that failed their checks',
    'unknown-states': 'requests from this address with a state that does not exist',
    'wrong-secrets': 'requests from this address with a wrong secret of this site',
    'rejected-codes': 'codes from the network of this browser that the provider rejected',
    'wrong-admin-tokens': 'requests from this address without a valid admin token',
  },
}

/** What several problems say to a visitor. */
const common = {
  again: 'Something went wrong during the login; please log in once more.',
  siteFault: 'Login does not work at the site because of an error there; please tell the people who run it.',
  providerFailed:
    'The login[ through {providerTitle}] did not succeed; please log in once more or choose another way.',
  loggedOut: 'You are no longer logged in; please log in once more.',
} as const

/** Every problem in English; only the characters that error_description may hold (RFC 6749 §5.2). */
export const textsEn: Readonly<Record<ProblemName, ProblemText>> = {
  // The request itself
  'malformed-request': {
    title: 'The request cannot be read',
    detail:
      'The request is damaged, cut short or does not match its Content-Type. Check how your client builds it, then send it again.',
    userMessage: common.again,
    cause:
      'The body is not what its Content-Type says (broken JSON, a multipart body without its last boundary, bytes that are not UTF-8), or the request itself breaks the rules of HTTP.',
    remedy:
      'Let your HTTP library encode the form or the JSON and set Content-Type and Content-Length; do not build the body by hand. If a proxy stands between your server and this service, check that it passes the body on whole. Repeating the same request unchanged does not help.',
  },
  'missing-parameter': {
    title: 'A parameter is missing',
    detail: 'A required parameter is missing[: {parameter}][ ({hint})][; {where}].',
    userMessage: common.again,
    cause:
      'The parameter did not come, or came in the wrong place: in the address of a POST request, or in a body whose Content-Type does not fit it.',
    remedy:
      'Compare your request with the API reference at /docs. At finish pass on provider, state and code exactly as they came to your return URL, in a form body. If this page appeared in a browser, the address was opened incomplete: start the login again.',
  },
  'invalid-parameter': {
    title: 'A parameter is not acceptable',
    detail: 'The parameter[ {parameter}] is not acceptable[: {rule}]. Correct it and send the request again.',
    userMessage: common.again,
    cause:
      'The value is of the wrong type, empty, too long or not of the form that the API reference gives. Values are never converted or trimmed for you.',
    remedy:
      'Send the value as one text of the documented form. Pass state, code and tokens on exactly as you got them: a value cut off by a narrow database column or decoded twice is a frequent cause. Repeating the same request unchanged does not help.',
  },
  'repeated-parameter': {
    title: 'A parameter came more than once',
    detail:
      'A parameter came more than once[: {parameter}]. Send each parameter exactly once (RFC 6749, section 3.1).',
    userMessage: common.again,
    cause:
      'The request holds the same known parameter twice, or as a list. Which of the values is meant cannot be known, so the request is refused. Unknown parameters of a form may repeat; they are ignored. In JSON no name may repeat, except inside an unknown member.',
    remedy:
      'Find where your code adds the parameter a second time, often by merging the incoming parameters with its own. Then send the request again: nothing has been used up.',
  },
  'misnamed-parameter': {
    title: 'A parameter has another name',
    detail:
      'The request has a parameter under a wrong name[: {given}; the right name is {right}]. Rename it and send the request again.',
    userMessage: common.siteFault,
    cause:
      'The name is close to that of a required parameter which is missing. Most often client_redirect_uri was sent in place of client_redirect_url.',
    remedy: 'Use the name from the API reference, and send the request again.',
  },
  'unsupported-media-type': {
    title: 'The body has an unsupported type',
    detail:
      'This address does not take a body of this Content-Type[; it takes {accepted}]. Send the parameters in such a body.',
    userMessage: common.siteFault,
    cause: 'The Content-Type is missing, misspelt or not accepted here, or the body is compressed.',
    remedy:
      'Send a form: with curl by -d or -F, in most HTTP libraries by an option named form or data, and without Content-Encoding. Then send the request again: nothing has been used up.',
  },
  'body-too-large': {
    title: 'The body is too large',
    detail:
      'The body of the request is too large[; at most {limit} bytes are allowed]. Send only the parameters that the API reference names.',
    userMessage: common.siteFault,
    cause:
      'The body is above the limit, or a form has too many fields. The requests of this service are a few hundred bytes long, 2 to 4 kB with a long code.',
    remedy:
      'Look at what your code sends besides the documented parameters: a whole session, a file, a page. Repeating the same request unchanged does not help.',
  },
  'headers-too-large': {
    title: 'The request headers are too large',
    detail:
      'The headers or the address of the request are too large. Do not pass on cookies or other headers of the browser.',
    userMessage:
      'Your browser keeps too many cookies[ for {domain}]; please delete them and log in once more.',
    cause:
      'The headers and the address together exceed 32 kB. Usually a proxy or your code copies the headers of the browser into its own request to this service.',
    remedy:
      'Send only Content-Type, Accept, Accept-Language and, where needed, Authorization. If this happened in a browser, delete the cookies of this service and start the login again.',
  },
  'expectation-failed': {
    title: 'The Expect header cannot be met',
    detail: 'The Expect header of the request asks for something unknown. Send the request without it.',
    userMessage: common.siteFault,
    cause: 'The request has an Expect header whose value is not 100-continue.',
    remedy: 'Remove the header in the settings of your HTTP client or proxy and send the request again.',
  },
  'request-timeout': {
    title: 'The request did not arrive in time',
    detail:
      'The request did not arrive whole within the time allowed. Check the connection between your server and this service, then send it again.',
    userMessage: 'The connection was too slow; please try again.',
    cause:
      'The connection was opened, but the headers or the body came too slowly or stopped. Common reasons are a Content-Length larger than the body and a network that loses packets.',
    remedy:
      'Let your HTTP library compute Content-Length. The request was not carried out and may be repeated at once.',
  },
  'not-found': {
    title: 'There is no such address',
    detail:
      'There is nothing at this address. Compare it with the addresses in the API reference at /docs, letter by letter.',
    userMessage: 'There is nothing at this address; please go back to the site and log in there.',
    cause:
      'The path is misspelt, lacks its beginning /api/v1, or belongs to a part of the service that is not open to the public.',
    remedy:
      'Correct the address. A slash at its end may be there or not. Repeating the same request does not help.',
  },
  'method-not-allowed': {
    title: 'The address does not take this method',
    detail:
      'This address does not take the method[ {method}][, only {allowed}]. If your code did send POST, a redirect on the way (http to https, or to another host) may have turned it into GET[: send it to {address} itself].',
    userMessage: 'This page cannot be opened in this way; please go back to the site and log in there.',
    cause:
      'The address exists, but is called by another method. Many HTTP clients repeat a redirected POST as GET and drop its body.',
    remedy:
      'Use the address of the service exactly as the operator gave it, with https, and check that your client follows no redirect here. Opening such an address in a browser always gives this answer.',
  },
  'rate-limited': {
    title: 'Too many requests',
    detail:
      'Too many requests in the last minute[ (counted were {who})][; the limit is {limit} a minute]. Wait as long as the Retry-After header says, then repeat the request.',
    userMessage: 'There were too many attempts; please wait a minute and try again.',
    cause:
      'Each kind of caller has a limit a minute. Requests with the secret of the site are counted apart from all others and have a much higher limit, so strangers cannot use yours up.',
    remedy:
      'Wait for the seconds in Retry-After, then repeat the same request: nothing has been used up. If this happens under normal traffic, send the id and secret of the site by HTTP Basic, and ask the operator for a higher factor of the limits where that is not enough. If starts for one visitor were counted, only that visitor has to wait. If wrong secrets were counted, correct the secret first; if unknown states were, check what reaches your return URL.',
  },
  'internal-error': {
    title: 'An unexpected error in the service',
    detail:
      'The service met an error that it did not expect. Start the login again; if it happens again, give the operator the request_id of this answer.',
    userMessage: 'An error happened during the login; please log in once more.',
    cause:
      'A fault in the service itself. Your request is not the reason, or should have been answered more clearly.',
    remedy:
      'At start and refresh you may repeat the request once after a few seconds. At finish do not repeat it, but start the login again. Report it to the operator with the request_id and the time.',
  },
  'dependency-unavailable': {
    title: 'The service is temporarily unavailable',
    detail:
      'A storage of the service does not answer at the moment. Nothing has been used up: repeat the same request after the time in the Retry-After header.',
    userMessage: 'Login is not available for the moment; please try again in a minute.',
    cause: 'The database or the store of logins of this service cannot be reached or is overloaded.',
    remedy:
      'Wait for the seconds in Retry-After and repeat the same request, two or three times with growing pauses. The login and the tokens stay valid. If it lasts longer than a few minutes, call the operator.',
  },

  // Who calls
  'secret-required': {
    title: 'The secret of the site is required',
    detail:
      'This request takes the secret of the site, and it has none. Send the id and secret of the site by HTTP Basic.',
    userMessage: common.siteFault,
    cause:
      'The operator has set the site so that start, finish, refresh and revoke work only with its secret; introspection and the pages about the site always need it. An empty secret counts as none.',
    remedy:
      'Send the id and the secret that the operator gave you as Authorization: Basic, or as client_id and client_secret in the body of a POST, from your server only, and check that no proxy removes that header. Then send the request again: nothing has been used up. If you have no secret, ask the operator for one.',
  },
  'wrong-credentials': {
    title: 'The id or secret of the site is wrong',
    detail:
      'The id and secret sent belong to no site. Correct them in the settings of your site, or leave them out where no secret is required.',
    userMessage: common.siteFault,
    cause:
      'The id is unknown, the secret is not one of the (at most two) living secrets of the site, or the header is not of the form that HTTP Basic has. Credentials that are sent, in the header or in the body, are checked even where none are needed.',
    remedy:
      'Compare id and secret with what the operator gave you: no blanks or line ends around them, id before the colon, secret after it. After a change of the secret, put the new one on all your servers. Then send the request again: nothing has been used up.',
  },
  'secret-not-accepted': {
    title: 'A native application has no secret',
    detail:
      'This site is registered as a native application, whose secret proves nothing. Leave the secret out and use PKCE (code_challenge and code_verifier).',
    userMessage: common.siteFault,
    cause:
      'An application on the devices of people cannot keep a secret: whoever has the application has it too (RFC 8252, section 8.5).',
    remedy:
      'Configure your library as a public client: client_id without a secret, with PKCE S256. If it is a server that logs people in, ask the operator to register it as an ordinary site.',
  },
  'site-disabled': {
    title: 'The site is switched off',
    detail:
      'The site is switched off or no longer registered at this service. Ask the operator of the service; repeating the request does not help.',
    userMessage: 'Login at the site is switched off for now.',
    cause:
      'The operator has disabled or removed the site, perhaps while the login was under way. A change holds on the whole service after two seconds.',
    remedy:
      'Ask the operator why. When the site is on again, a login may be finished if its time has not run out; otherwise start it again.',
  },
  'provider-not-allowed': {
    title: 'The provider is not allowed for this site',
    detail:
      'The provider[ {provider}] is not allowed for this site. Offer another one, or ask the operator to allow it.',
    userMessage:
      'The site does not take this way of logging in[ ({providerTitle})]; please choose another one.',
    cause:
      'Each site has a list of allowed providers, and this provider is not on it, or was taken off it while the login was under way.',
    remedy:
      'Remove the button of this provider from your login page. GET /api/v1/site/ with the secret of the site shows its list. Repeating the request does not help until the operator has changed the list.',
  },

  // Start
  'unknown-provider': {
    title: 'Unknown provider',
    detail:
      'There is no such provider at this service[; the parameter provider takes one of: {providers}]. Write the name in lower case, exactly so.',
    userMessage: 'There is no such way of logging in; please choose another one.',
    cause: 'The value of provider is misspelt, or this provider is not switched on at this service.',
    remedy:
      'Take the names from GET /api/v1/oauth/providers/. If the provider that you need is missing there, ask the operator.',
  },
  'redirect-url-unknown': {
    title: 'The return URL is not registered',
    detail:
      'This client_redirect_url is not registered for any site. Send the registered URL, or ask the operator to register this one.',
    userMessage: common.siteFault,
    cause:
      'People are sent back only to URLs that were registered beforehand, and no URL of this host is registered, or this one was removed while the login was under way.',
    remedy:
      'Check that the URL is that of the right environment (test or production) and that it is not encoded twice. Ask the operator to register it exactly as your site sends it. Repeating the request does not help until then.',
  },
  'redirect-url-differs': {
    title: 'The return URL differs from the registered one',
    detail:
      'This client_redirect_url is not registered, although a similar one is[; the difference is {difference}][; registered for your site: {registered}]. Send the registered URL character for character, or ask the operator to register this one.',
    userMessage: common.siteFault,
    cause:
      'Return URLs are compared as plain text, as RFC 9700 requires: a slash at the end, http in place of https, another port, a capital letter or an added parameter makes another URL. Only the kind of difference is told; to a caller with the secret of the site the registered URL is told too.',
    remedy:
      'Keep the URL as one constant in your settings and do not build it from the current request. GET /api/v1/site/ with the secret of the site shows the registered URLs. Then send the request again.',
  },

  'client-unknown': {
    title: 'There is no such site',
    detail: 'No site has this client_id. Use the id that the operator gave you as it is.',
    userMessage: common.siteFault,
    cause:
      'The client_id of the authorization request is not the id of a registered site: it is misspelt, of another environment, or the site was removed.',
    remedy:
      'Compare client_id in the settings of your library with the id from the operator, and the issuer with the address of the right environment. Then start the login again.',
  },

  // Callback and finish: the login as it stands
  'unknown-login': {
    title: 'This login does not exist',
    detail:
      'There is no login with this state: it was never started here, or is long over. Check that state is passed on unchanged, and start the login again.',
    userMessage: 'This login is no longer valid; please log in once more.',
    cause:
      'The state is cut off or changed, comes from another environment, or belongs to a login of hours ago. Bots and bookmarks that open your return URL bring such states too.',
    remedy:
      'Pass state on exactly as it came to your return URL, and first compare it with the one kept in the session of the browser: if they differ, do not call this service at all. Do not repeat the request; offer the person a new login.',
  },
  'login-expired': {
    title: 'The login took too long',
    detail:
      'The time for this login has run out. Start the login again; a person usually needs one click now.',
    userMessage: 'The login took too long; please log in once more.',
    cause:
      'A person has about ten minutes to come back from the provider, and your site ten more minutes to finish the login. One of the two was exceeded.',
    remedy:
      'Show the person a button that starts a new login. Send the finish request at once when the person comes back, without queues or confirmation pages in between. Do not repeat the request.',
  },
  'login-unanswered': {
    title: 'The person is not back yet',
    detail:
      'No code has come from the provider for this login so far. Finish it only after the person came back to your return URL with a code.',
    userMessage: 'The login is not finished yet; please log in once more.',
    cause:
      'The finish was sent before the provider sent the person back through this service: right after the start, or with a code that did not come through this service.',
    remedy:
      'Send the person to authorize_url and finish the login in the handler of your return URL, with the parameters that come there. The login is still open: it can be finished once the code is there.',
  },
  'login-in-progress': {
    title: 'The login is being finished right now',
    detail:
      'Another request is finishing this login at this moment, or its outcome is not known yet. Repeat the request after the time in the Retry-After header.',
    userMessage: 'The login is being completed right now; please wait a moment.',
    cause:
      'The finish was sent twice at nearly the same time, or repeated after a lost connection or a 503 while the outcome of the first one is not known yet.',
    remedy:
      'Wait for the second in Retry-After and repeat the same request, with the secret or the verifier: then you get the session which the first request opened. Send the finish only once for each login.',
  },
  'login-completed': {
    title: 'The login is already completed',
    detail:
      'This login has already been finished. If your site has its tokens, go on with them; otherwise start the login again.',
    userMessage: 'This login is already completed; as a rule you are logged in.',
    cause:
      'The finish came a second time, most often because the person reloaded the return URL or clicked twice, or because your code repeats requests by itself. A login gives tokens once; nothing has been revoked.',
    remedy:
      'After a finish redirect the person at once to a page without state and code in its address. Switch automatic repeats off for this request. Callers that send the secret of the site or a code_verifier can repeat a finish whose answer was lost, within 60 seconds.',
  },
  'login-lost': {
    title: 'The login was interrupted',
    detail:
      'The first finish of this login failed or was interrupted, and opened no session. Start the login again; do not repeat this request.',
    userMessage: 'The login was interrupted; please log in once more.',
    cause:
      'The first request to finish this login was refused after the code had been sent to the provider, or broke off inside the service. A code works only once, so the login cannot be saved.',
    remedy: 'Offer the person a new login. If it happens often, tell the operator, with the request_id.',
  },
  'login-incomplete': {
    title: 'The login could not be saved',
    detail:
      'The provider confirmed the person, but the session could not be saved. Start the login again; do not repeat this request.',
    userMessage: 'The login could not be completed; please log in once more.',
    cause:
      'The database of this service failed just when the session was to be written. The code is used up, so the login cannot be saved.',
    remedy:
      'Offer the person a new login, after the seconds in Retry-After. If it happens again, call the operator.',
  },
  'provider-mismatch': {
    title: 'The login belongs to another provider',
    detail:
      'This login was started with another provider. Pass provider, state and code on exactly as they came to your return URL.',
    userMessage: common.again,
    cause:
      'The provider sent is not the one with which this login was started: it is fixed in your code, or comes from another tab of the same browser. It may also be an attempt to swap answers between providers.',
    remedy:
      'Take the parameter provider from the incoming request, together with state and code, and send the finish again: the login is still open. If this page appeared in a browser, start the login again.',
  },
  'site-mismatch': {
    title: 'This belongs to another site',
    detail:
      'The id and secret sent are right, but the return URL, login or token belongs to another site. Use the credentials of that site.',
    userMessage: common.siteFault,
    cause:
      'Your server serves several sites or environments and has mixed up their settings, or somebody brought the parameters of one site to another.',
    remedy:
      'Choose id and secret by the site whose return URL was called, and keep tokens apart for each site. Then send the request again: nothing has been used up.',
  },
  'code-mismatch': {
    title: 'This is not the code of the login',
    detail: 'The provider answered this login by a code, and what came now is not that code[: {came}].',
    userMessage: 'This login has already been answered; please go on at the site or log in once more.',
    cause:
      'The code was changed on its way (decoded twice, a plus turned into a blank, cut off), belongs to another login, or the provider answered the same login a second time. It may also be an attempt to slip in the code of somebody else.',
    remedy:
      'Read the parameters by the function of your framework, which decodes once, and let your HTTP library encode them again. The login is still open: send the finish again with the right code. If this page appeared in a browser, return to the site and start the login again.',
  },
  'code-used': {
    title: 'This code has been used',
    detail: 'A code is good for one token request, and this one was used before. Start the login again.',
    userMessage: 'This login has already been completed; please go on at the site or log in once more.',
    cause:
      'The token request was sent twice: by a retry after a lost response, a reload of the return page, or by somebody else who got hold of the code (RFC 6749, section 4.1.2).',
    remedy:
      'Do not repeat token requests by authorization_code, and let the page of your return URL redirect the browser at once. The session that the first request opened goes on.',
  },
  'other-door': {
    title: 'This login began in another way',
    detail:
      'A login that began at the authorization endpoint is finished at the token endpoint, and one that began by authorize-url at authorize. Send the request to the endpoint where this login belongs.',
    userMessage: common.again,
    cause:
      'Two integrations are mixed: a library of OpenID Connect, and the two requests of the guide. Neither may finish the logins of the other, because each demands another proof.',
    remedy:
      'Choose one of the two ways for your site and use it from start to finish. Nothing has been used up: the right endpoint still accepts the login.',
  },
  'redirect-url-mismatch': {
    title: 'The redirect_uri is not that of the login',
    detail:
      'The redirect_uri of the token request differs from that of the authorization request. Send exactly the same value in both.',
    userMessage: common.siteFault,
    cause:
      'The library builds the URL anew from the current request, behind a proxy perhaps with another scheme, host or port; a native application sent another port (RFC 6749, section 4.1.3).',
    remedy:
      'Configure one fixed redirect URI, and tell your framework the public address of the site. The login is still open: send the request again with the right value.',
  },
  'verifier-missing': {
    title: 'code_verifier is missing',
    detail:
      'This login was started with a code_challenge, so its finish needs the code_verifier. Add it and send the request again.',
    userMessage: common.again,
    cause:
      'Your start request sent code_challenge, but the finish came without code_verifier (RFC 7636, section 4.5).',
    remedy:
      'Keep the verifier in the session of the person at the start and send it at the finish. The login is still open. If the verifier is lost, start the login again.',
  },
  'verifier-unexpected': {
    title: 'code_verifier is not expected',
    detail:
      'This login was started without a code_challenge, so its finish must not have a code_verifier. Send code_challenge at the start, or no code_verifier at the finish.',
    userMessage: common.again,
    cause:
      'The finish has a code_verifier, but the start had no code_challenge (RFC 9700, section 4.8.2). The challenge was perhaps lost on its way to the start request.',
    remedy:
      'Check that the start sends both code_challenge and code_challenge_method=S256, then start the login again. A login started without them is finished without code_verifier.',
  },
  'verifier-mismatch': {
    title: 'code_verifier does not fit',
    detail:
      'The code_verifier does not fit the code_challenge of this login. Send the verifier that was made for this very login.',
    userMessage: common.again,
    cause:
      'The verifier belongs to another login (two tabs of one browser), or the challenge is not the base64url form of the SHA-256 digest of the verifier, without padding.',
    remedy:
      'Keep a verifier for each state rather than one for the whole browser, and check the computation with the example in RFC 7636, appendix B. The login is still open: send the finish again with the right verifier.',
  },
  'issuer-mismatch': {
    title: 'The answer comes from another issuer',
    detail:
      'The answer names another issuer than the provider of this login, so it was refused. Start the login again.',
    userMessage: 'The answer came from somewhere else than expected; please log in once more.',
    cause:
      'The parameter iss in the answer is not that of the provider (RFC 9207). It is either an attempt to mix up providers or a change at the provider.',
    remedy:
      'Start the login again from the site. If it happens again, tell the operator, with the request_id.',
  },
  'access-denied': {
    title: 'The person refused',
    detail:
      'The person did not allow access at the provider, so there is no login. Offer another provider or a new login.',
    userMessage: 'The login[ through {providerTitle}] was cancelled; log in once more if you want to go on.',
    cause:
      'The person pressed cancel at the provider, or the account has no right to give access (some accounts of companies and schools).',
    remedy:
      'This is no fault: show your login page again, with a friendly sentence. The login stays open until its time runs out, in case the person goes back and agrees. Do not repeat the request without a code.',
  },
  'provider-declined': {
    title: 'The provider did not carry the login out',
    detail:
      'The provider sent the person back with an error in place of a code[: {error}]. Start the login again; if it happens again, offer another provider.',
    userMessage:
      'The login[ through {providerTitle}] did not succeed; please try again a little later or choose another way.',
    cause:
      'The provider had a fault of its own or is overloaded while the person was there. Its own words are in the log of this service.',
    remedy:
      'Offer the person a new login or another provider. If all logins by this provider end so, tell the operator, with the request_id.',
  },
  'user-disabled': {
    title: 'The user is blocked',
    detail:
      'The operator has blocked this user, so no tokens are given. The person may turn to the operator; repeating does not help.',
    userMessage: 'Your account is blocked; please ask the people who run the site.',
    cause: 'The operator of this service has disabled the user. This ends new logins and refreshes alike.',
    remedy:
      'End the session of the person at your site and show how to reach the operator. Do not repeat the request.',
  },

  // The provider, behind finish
  'code-rejected': {
    title: 'The provider did not accept the code',
    detail:
      'The provider did not accept the code: it is used up or too old. Start the login again; do not repeat this request.',
    userMessage: 'The login was not confirmed; please log in once more.',
    cause:
      'A code lives from one to ten minutes, depending on the provider, and works once. It came too late, or was used up by an interrupted request.',
    remedy:
      'Send the finish at once when the person comes back. Offer a new login now. If it happens to all logins by one provider, tell the operator.',
  },
  'provider-unavailable': {
    title: 'The provider is temporarily unavailable',
    detail:
      'The provider[ {provider}] cannot be reached at the moment. Nothing has been used up: repeat the same request after the time in the Retry-After header, or offer another provider.',
    userMessage:
      'Login[ through {providerTitle}] does not work at the moment; please try again in a minute or choose another way.',
    cause:
      'The provider refuses connections, limits the requests of this service, or has failed so often in the last moments that this service gives it a pause.',
    remedy:
      'Wait for the seconds in Retry-After and repeat the same request, two or three times at most: the code of the person lives only a few minutes. GET /api/v1/oauth/providers/ shows which providers work now. If it lasts, tell the operator.',
  },
  'provider-error': {
    title: 'The provider failed',
    detail:
      'The provider[ {provider}] answered with an error of its own, or the connection to it was lost before its answer. Start the login again; do not repeat this request, as the code may be used up.',
    userMessage: common.providerFailed,
    cause:
      'The provider answered with a server error after it had got the code, or the connection to it was lost, so that nobody knows whether it used the code.',
    remedy:
      'Offer the person a new login or another provider. Do not repeat the finish. If it lasts longer than a few minutes, tell the operator, with the request_id.',
  },
  'provider-timeout': {
    title: 'The provider did not answer in time',
    detail:
      'The provider[ {provider}] did not answer in time. Start the login again; do not repeat this request, as the code may be used up.',
    userMessage: common.providerFailed,
    cause:
      'The provider got the request, but did not answer within a few seconds. Whether it used the code cannot be known.',
    remedy:
      'Offer the person a new login or another provider. Do not repeat the finish. Let your own time limit for this request be above 10 seconds, so that you see this answer.',
  },
  'provider-invalid-response': {
    title: 'The answer of the provider cannot be used',
    detail:
      'The provider[ {provider}] gave an answer that cannot be used or trusted. Start the login again; if it happens again, tell the operator.',
    userMessage: common.providerFailed,
    cause:
      'The answer of the provider is not what its documentation promises, lacks the id of the person, or carries a signature that does not hold. Nobody was logged in by it.',
    remedy:
      'Offer a new login once, then another provider. Do not repeat the finish. Tell the operator, with the request_id: perhaps the provider has changed its API.',
  },
  'provider-misconfigured': {
    title: 'The provider refuses this service',
    detail:
      'The provider[ {provider}] refuses the settings of this service. Tell the operator; offer another provider until it is mended.',
    userMessage: 'Login[ through {providerTitle}] does not work at the moment; please choose another way.',
    cause:
      'The application of this service at the provider is blocked, or its id, secret or return address is no longer right there. Your site cannot change this.',
    remedy:
      'Call the operator, with the request_id. Hide the button of this provider meanwhile. Repeating does not help.',
  },

  // Our own tokens
  'token-missing': {
    title: 'The access token is missing',
    detail:
      'The request has no access token. Send it in the Authorization header after the word Bearer and one blank.',
    userMessage: 'Please log in to go on.',
    cause:
      'There is no Authorization header with a Bearer token. Tokens in the address or in the body are not accepted (RFC 9700, section 4.3.2).',
    remedy:
      'Add the header Authorization: Bearer ACCESS_TOKEN, and check that no proxy removes it. Then send the request again.',
  },
  'token-invalid': {
    title: 'The access token is not valid',
    detail:
      'The access token has run out or is not valid here. Get a new one by a refresh and repeat the request once.',
    userMessage: common.loggedOut,
    cause:
      'The token has run out (it lives 15 minutes unless the operator set another time), its session has ended, its user is blocked, it is cut off, it is a refresh token, or it was issued by another service.',
    remedy:
      'Refresh the pair and repeat the request once with the new access token. If the refresh is refused too, start the login again. Check that you send access_token, not refresh_token, and that the clock of your server is right.',
  },
  'refresh-token-invalid': {
    title: 'The refresh token is not valid',
    detail:
      'The refresh token has run out or was not issued by this service. Start the login again, and check that the token is stored whole.',
    userMessage: common.loggedOut,
    cause:
      'The token is cut off or changed, is an access token, comes from another environment, has run out (30 days without a refresh unless the operator set another time), or was signed by a key that has been revoked.',
    remedy:
      'Delete the stored pair and let the person log in. Store tokens in a column without a length limit: they are several hundred characters long. Do not repeat the request.',
  },
  'refresh-token-reused': {
    title: 'The refresh token had been replaced before',
    detail:
      'This refresh token had already been replaced by a newer one, so its session was ended for safety. Start the login again.',
    userMessage: 'You were logged out for your safety; please log in once more.',
    cause:
      'Each refresh replaces the refresh token. The previous one is still accepted for a few seconds, in case an answer is lost; used later, it may be stolen, so the whole session is ended (RFC 9700, section 4.14.2).',
    remedy:
      'Delete the stored pair and let the person log in. Then make sure that your site stores the new pair before anything else, that two processes do not refresh the same session side by side, and that no old copy of the tokens is brought back from a cache or a backup.',
  },
  'session-ended': {
    title: 'The session has ended',
    detail:
      'The session of this token has ended: by logout, by the operator, or by its age. Start the login again.',
    userMessage: common.loggedOut,
    cause:
      'The person logged out (perhaps from another device), the operator ended the session, the token was not refreshed for too long, or the session reached its greatest age (180 days unless the operator set another time).',
    remedy:
      'Delete the stored pair, end the session at your site and show the login page. Do not repeat the request.',
  },
  'session-not-found': {
    title: 'There is no such session',
    detail:
      'This user has no living session with this id at this site. Read the list of sessions again; perhaps it has ended already.',
    userMessage: 'This session has already ended.',
    cause:
      'The id is wrong, the session has ended, or it belongs to another user or another site; these cases are not told apart.',
    remedy:
      'If you wanted to end the session, nothing is left to do. Otherwise take the id from GET /api/v1/me/sessions/.',
  },
  'unsupported-grant-type': {
    title: 'This grant_type is not supported',
    detail:
      'The refresh takes grant_type=refresh_token or none, the token endpoint authorization_code or refresh_token. Correct the parameter and send the request again.',
    userMessage: common.siteFault,
    cause:
      'The parameter grant_type has another value, such as password or client_credentials. Codes of the authorization endpoint are exchanged at /api/v1/oauth/token/; logins by the two requests of the guide are finished at /api/v1/oauth/authorize/, which takes no grant_type.',
    remedy:
      'Send the grant_type that the endpoint takes, and send the request again: nothing has been used up.',
  },

  // Logout by OpenID Connect
  'logout-hint-invalid': {
    title: 'This logout names nobody',
    detail:
      'The logout has no id_token_hint, or one that this service did not issue to this client_id. Nothing was ended; send the ID token of the login.',
    userMessage: 'You may still be logged in; please go back to the site and log out there.',
    cause:
      'A logout ends the session that its id_token_hint names (OpenID Connect RP-Initiated Logout 1.0, section 2). Without one it is not known whose session that is, because the service keeps nothing in the browser.',
    remedy:
      'Keep the ID token of the login and send it as id_token_hint; an expired one is good as well. A site without an ID token ends the session by the revocation endpoint.',
  },
  'logout-url-unknown': {
    title: 'The URL after the logout is not registered',
    detail:
      'The person is logged out, but this post_logout_redirect_uri is not registered for the site. Send a registered one, or ask the operator to register this one.',
    userMessage: 'You are logged out, but the way back to the site could not be found.',
    cause:
      'The browser is sent only to URLs that were registered beforehand for the time after a logout. They are a list of their own beside the return URLs of the login, and are compared as plain text.',
    remedy:
      'Ask the operator to register the URL by site update ID --post-logout-redirect-url URL, exactly as your site sends it.',
  },

  // The admin API
  'admin-token-required': {
    title: 'A valid admin token is needed',
    detail:
      'This part of the service answers only to a valid admin token. Send it in the Authorization header after the word Bearer and one blank.',
    userMessage: 'You have no access to this.',
    cause:
      'No token came, or one that is not in ADMIN_TOKENS; the id and secret of a site do not count here. Until the token is right, nothing is said about whether the address exists.',
    remedy:
      'Make a token by the command admin-token NAME, put the entry that it prints into ADMIN_TOKENS, and restart the service. Send the token itself, not its digest.',
  },
  'site-invalid': {
    title: 'The site cannot be stored like this',
    detail: 'Nothing was changed[: {reason}]. Correct it and send the request again.',
    userMessage: 'The details of the site are not acceptable; please correct them.',
    cause:
      'The name, a redirect URL, a provider or the document breaks one of the rules for sites; the answer names the first that it met. A change is made as a whole or not at all.',
    remedy:
      'Correct what the answer names, then send the whole request again. For a document that stands at sites/2, say, count from sites/0. Use dry_run=true to see what a document would change.',
  },
  'site-conflict': {
    title: 'Another site has this name or URL',
    detail: 'Nothing was changed[: {reason}]. Take another, or change that site first.',
    userMessage: 'Another site already has these details.',
    cause: 'Names and redirect URLs belong to one site at a time: by its URL a login finds its site.',
    remedy:
      'Look the other site up by GET /api/v1/admin/sites/. Either take the name or URL from it first, or move it by one document that names both sites.',
  },
  'site-not-found': {
    title: 'There is no such site',
    detail: 'There is no site with this id. Take it from GET /api/v1/admin/sites/.',
    userMessage: 'There is no such site.',
    cause: 'The id is misspelt, or the site has been removed.',
    remedy: 'Correct the id. If you wanted to remove the site, nothing is left to do.',
  },
  'user-not-found': {
    title: 'There is no such user',
    detail: 'There is no user with this id. Look the person up by POST /api/v1/admin/users/search/.',
    userMessage: 'There is no such person.',
    cause: 'The id is misspelt, or the person has been deleted; a new login makes a new user with a new id.',
    remedy:
      'Correct the id. If you wanted to delete the person, look into GET /api/v1/admin/deletions/: the journal has a line for each deletion.',
  },
}
