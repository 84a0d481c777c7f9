<?php
// A site that logs people in through Auth-movies. PHP 8.1 or newer, no packages: php -S 127.0.0.1:8000 site.php
// Its environment has AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL. Your web server sends it every request of the site.
declare(strict_types=1);

foreach (['AUTH', 'SITE_ID', 'SITE_SECRET', 'REDIRECT_URL'] as $name) {
    define($name, (string) getenv($name));
}
define('ORIGIN', preg_replace('~^(\w+://[^/]+).*$~', '$1', REDIRECT_URL));
const WORDS = [
    'access_denied' => 'You did not allow the login. You may try again.',
    'temporarily_unavailable' => 'Logging in does not work at the moment. Please try again a little later.',
    'login_expired' => 'The login took too long. Please log in once more.',
];
const OTHER = 'The login did not succeed. Please try again, or choose another way.';
const FOREIGN = 'This login did not begin in this browser, or it is over. Please log in here.';

/** Its message is for the visitor. The status is 0 where the service did not answer. */
class Failure extends Exception
{
    public function __construct(string $message, public readonly int $status = 400, public readonly string $error = '')
    {
        parent::__construct($message);
    }
}

/** PHP locks a session until the request ends: requests of one session wait for each other, and so for one refresh. */
function openSession(): void
{
    session_start([
        'name' => 'session',
        'cookie_path' => '/',
        'cookie_httponly' => true,
        'cookie_samesite' => 'Lax', // with Strict it would not come back from the provider
        'cookie_secure' => str_starts_with(REDIRECT_URL, 'https:'),
        'use_strict_mode' => true,
        'gc_maxlifetime' => 30 * 24 * 3600,
    ]);
}

/** Asks the service, by POST where there is a form. */
function call(string $path, ?array $form = null, ?string $authorization = null): array
{
    $authorization ??= 'Basic ' . base64_encode(SITE_ID . ':' . SITE_SECRET);
    $language = $_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? 'en';
    $header = ["Authorization: $authorization", "Accept-Language: $language"];
    $options = ['timeout' => 12, 'ignore_errors' => true, 'follow_location' => 0];
    if ($form !== null) {
        $header[] = 'Content-Type: application/x-www-form-urlencoded';
        $options += ['method' => 'POST', 'content' => http_build_query($form)];
    }
    $stream = @fopen(AUTH . $path, 'r', false, stream_context_create(['http' => $options + ['header' => $header]]));
    $text = $stream ? (string) stream_get_contents($stream) : '';
    $line = $stream ? stream_get_meta_data($stream)['wrapper_data'][0] : '';
    $body = $text === '' ? [] : json_decode($text, true); // revoke answers with nothing
    $status = is_array($body) && preg_match('~^HTTP/\S+ (\d{3})~', $line, $found) ? (int) $found[1] : 0;
    if ($status === 200) {
        return $body;
    }
    $detail = $body['error_description'] ?? $body['detail'] ?? '';
    error_log(implode(' ', [$path, $status, $body['type'] ?? '', $body['request_id'] ?? '', $detail]));
    throw new Failure($body['user_message'] ?? WORDS['temporarily_unavailable'], $status, $body['error'] ?? '');
}

function keep(array $tokens): void
{
    $_SESSION = [...$_SESSION, ...$tokens, 'ends' => time() + $tokens['expires_in']];
    session_write_close(); // stored before anything else is done
    openSession();
}

/** The access token, refreshed where less than a minute of it is left. */
function accessToken(): string
{
    for ($attempt = 1; $_SESSION['ends'] - time() <= 60; $attempt++) {
        try {
            keep(call('/api/v1/oauth/refresh/', ['refresh_token' => $_SESSION['refresh_token']]));
        } catch (Failure $failure) {
            if ($failure->error === 'invalid_grant') {
                $_SESSION = []; // ended; any other failure keeps the pair
            }
            // The answer was lost: at once the same token again, which gives the same pair.
            if (!in_array($failure->status, [0, 500], true) || $attempt === 3) {
                throw $failure;
            }
        }
    }
    return $_SESSION['access_token'];
}

/** Who it is: id is the key of your users, never the email. */
function me(bool $again = true): array
{
    try {
        return call('/api/v1/me/', null, 'Bearer ' . accessToken());
    } catch (Failure $failure) {
        if ($failure->status !== 401 || !$again) {
            throw $failure;
        }
        $_SESSION['ends'] = 0; // the token is refused: a refresh tells whether the session has ended
        return me(false);
    }
}

function home(): string
{
    if (isset($_SESSION['access_token'])) {
        $who = me();
        $logout = '<form method="post" action="/logout"><button>Log out</button></form>';
        return '<b>' . htmlspecialchars($who['name'] ?? $who['id']) . "</b>$logout";
    }
    $buttons = '';
    foreach (call('/api/v1/oauth/providers/')['providers'] as $one) {
        $attributes = 'name="provider" value="' . htmlspecialchars($one['name']) . '"';
        $disabled = $one['available'] ? '' : 'disabled';
        $buttons .= "<button $attributes $disabled>" . htmlspecialchars($one['title']['en']) . '</button> ';
    }
    return "<form method=\"post\" action=\"/login\">$buttons</form>";
}

function login(): string
{
    $form = ['provider' => text($_POST, 'provider'), 'client_redirect_url' => REDIRECT_URL];
    ['state' => $state, 'authorize_url' => $url] = call('/api/v1/oauth/authorize-url/', $form);
    // Several: a person may log in in two tabs.
    $_SESSION['states'] = array_slice([...($_SESSION['states'] ?? []), $state], -5);
    return $url;
}

function loginReturn(): string
{
    ['state' => $state] = $form = array_combine(
        ['provider', 'state', 'code'],
        [text($_GET, 'provider'), text($_GET, 'state'), text($_GET, 'code')], // as they came
    );
    $states = $_SESSION['states'] ?? [];
    if (!in_array($state, $states, true)) {
        return isset($_SESSION['access_token']) ? '/' : throw new Failure(FOREIGN);
    }
    if (isset($_GET['error'])) { // the state stays: the person may go back and agree
        throw new Failure(WORDS[text($_GET, 'error')] ?? OTHER);
    }
    $_SESSION['states'] = array_values(array_diff($states, [$state]));
    $tokens = call('/api/v1/oauth/authorize/', $form);
    session_regenerate_id(true);
    keep($tokens);
    return '/'; // an address without state and code
}

function logout(): string
{
    $token = $_SESSION['refresh_token'] ?? null;
    $_SESSION = [];
    session_regenerate_id(true);
    if ($token !== null) {
        try {
            call('/api/v1/oauth/revoke/', ['token' => $token]);
        } catch (Failure) { // it is in the log
        }
    }
    return '/';
}

function text(array $from, string $name): string
{
    return is_string($from[$name] ?? null) ? $from[$name] : '';
}

function page(int $status, ?string $message, string $body = '<p><a href="/">Go on</a></p>'): void
{
    http_response_code($status);
    header("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'");
    $alert = $message === null ? '' : '<p role="alert">' . htmlspecialchars($message) . '</p>';
    echo "<!doctype html><title>My site</title><h1>My site</h1>$alert$body";
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$routes = [
    'GET /' => home(...),
    'POST /login' => login(...),
    'GET ' . parse_url(REDIRECT_URL, PHP_URL_PATH) => loginReturn(...),
    'POST /logout' => logout(...),
];
$route = $routes["{$_SERVER['REQUEST_METHOD']} $path"] ?? null;
header('Referrer-Policy: same-origin');
// A form of another site must not log anybody in or out.
if ($route === null || ($_SERVER['REQUEST_METHOD'] === 'POST' && ($_SERVER['HTTP_ORIGIN'] ?? ORIGIN) !== ORIGIN)) {
    page(404, 'Please open ' . ORIGIN . '/');
    return;
}
openSession();
try {
    $result = $route();
    if ($path === '/') {
        page(200, $_SESSION['message'] ?? null, $result);
        unset($_SESSION['message']);
        return;
    }
} catch (Failure $failure) {
    if ($path === '/') {
        page(503, $failure->getMessage());
        return;
    }
    $_SESSION['message'] = $failure->getMessage();
    $result = '/';
}
header("Location: $result", true, 303);
