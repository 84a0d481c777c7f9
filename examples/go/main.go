// A site that logs people in through Auth-movies, whole, in one file. Go 1.25 or newer, its standard library alone.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, run `go run examples/go/main.go`, and open http://127.0.0.1:8000/
// For production: https in REDIRECT_URL by a proxy on this machine (it listens on 127.0.0.1:SITE_PORT); sessions in
// Redis or a database, each with a lock, the tokens encrypted; a limit for the login button; your own words and pages.

package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"html/template"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	refused = "You did not allow the login. You may try again."
	expired = "This login took too long. Please log in again."
	other   = "The login did not succeed. Please try again, or choose another way."
	foreign = "This login did not begin in this browser, or it is over. Please log in here."
	later   = "Logging in does not work at the moment. Please try again a little later."
)

var (
	auth, redirectURL = os.Getenv("AUTH"), os.Getenv("REDIRECT_URL")
	site, _           = url.Parse(redirectURL)
	sessions          sync.Map // from id to *session
	page              = template.Must(template.New("page").Parse(`<!doctype html><title>My site</title><h1>My site</h1>
{{with .Message}}<p role="alert">{{.}}</p>{{end}}
{{if .Person.ID}}<b>{{or .Person.Name .Person.ID}}</b>
<form method="post" action="/logout"><button>Log out</button></form>
{{else if .Providers}}<form method="post" action="/login">{{range .Providers}}
<button name="provider" value="{{.Name}}" {{if not .Available}}disabled{{end}}>{{.Title.en}}</button>{{end}}</form>
{{else}}<p><a href="/">Go on</a></p>{{end}}`))
)

// content is what a page shows. The ID of a person is the key of your users, never the email.
type content struct {
	Message   string
	Person    struct{ ID, Name string }
	Providers []struct {
		Name      string
		Title     map[string]string
		Available bool
	}
}

// failure is told to the visitor. Its status is 0 where the service did not answer.
type failure struct {
	Status       int    `json:"-"`
	Message      string `json:"user_message"`
	Code         string `json:"error"`
	Type, Detail string
	ID           string `json:"request_id"`
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Seconds int    `json:"expires_in"`
}

// session is what is kept of a browser, which has the random id alone.
type session struct {
	sync.Mutex  // held by each request, so that all of a session wait for one refresh
	id, message string
	states      []string
	tokens      *tokens
	ends        time.Time
}

// visit is one request of a visitor.
type visit struct {
	w http.ResponseWriter
	r *http.Request
	*session
}

// open gives the browser a new session id.
func (v *visit) open() {
	sessions.Delete(v.id)
	v.id = rand.Text()
	sessions.Store(v.id, v.session)
	http.SetCookie(v.w, &http.Cookie{Name: "session", Value: v.id, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: site.Scheme == "https"})
}

func (v *visit) close() {
	sessions.Delete(v.id)
	v.tokens = nil
}

// call asks the service, by POST where there is a form, and reads its answer into result.
func (v *visit) call(path string, form url.Values, token string, result any) *failure {
	client := http.Client{Timeout: 4 * time.Second} // a refresh whose answer is lost must be repeated within 10 seconds
	if strings.HasSuffix(path, "/authorize/") {
		client.Timeout = 12 * time.Second // a finish may take 10
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	method := map[bool]string{true: "GET", false: "POST"}[form == nil]
	request, _ := http.NewRequest(method, auth+path, strings.NewReader(form.Encode()))
	request.Header.Set("Accept-Language", cmp.Or(v.r.Header.Get("Accept-Language"), "en"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if request.SetBasicAuth(os.Getenv("SITE_ID"), os.Getenv("SITE_SECRET")); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	problem := &failure{Message: later}
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode != 200 {
			result = problem
		}
		if result != nil { // revoke answers with nothing
			err = json.NewDecoder(response.Body).Decode(result)
		}
		if err == nil && response.StatusCode == 200 {
			return nil
		} else if err == nil {
			problem.Status = response.StatusCode
		}
	}
	log.Println(path, problem.Status, problem.Type, problem.ID, problem.Detail, err)
	return problem
}

func (v *visit) keep(t tokens) {
	v.tokens, v.ends = &t, time.Now().Add(time.Duration(t.Seconds)*time.Second)
}

func (v *visit) refresh(again bool) *failure {
	var pair tokens
	problem := v.call("/api/v1/oauth/refresh/", url.Values{"refresh_token": {v.tokens.Refresh}}, "", &pair)
	if problem == nil {
		v.keep(pair)
	} else if problem.Code == "invalid_grant" {
		v.close() // ended; any other failure keeps the pair
	} else if again && (problem.Status == 0 || problem.Status >= 500) {
		return v.refresh(false) // the answer was lost: once more with the same token, which gives the same pair
	}
	return problem
}

func (v *visit) me(who any) *failure {
	if time.Until(v.ends) < time.Minute {
		if problem := v.refresh(true); problem != nil {
			return problem
		}
	}
	problem := v.call("/api/v1/me/", nil, v.tokens.Access, who)
	if problem != nil && problem.Status == 401 {
		// The token was refused: a refresh tells whether the session has ended.
		if problem = v.refresh(true); problem == nil {
			return v.call("/api/v1/me/", nil, v.tokens.Access, who)
		}
	}
	return problem
}

func (v *visit) show(status int, what content) {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_ = page.Execute(v.w, what) // fails where the visitor has gone
}

func home(v *visit) (string, *failure) {
	what := content{Message: v.message}
	var problem *failure
	if v.tokens != nil {
		problem = v.me(&what.Person)
	} else {
		problem = v.call("/api/v1/oauth/providers/", nil, "", &what)
	}
	if problem == nil {
		v.message = ""
		v.show(200, what)
	}
	return "", problem
}

func login(v *visit) (string, *failure) {
	form := url.Values{"provider": {v.r.PostFormValue("provider")}, "client_redirect_url": {redirectURL}}
	var start struct {
		State string
		URL   string `json:"authorize_url"`
	}
	if problem := v.call("/api/v1/oauth/authorize-url/", form, "", &start); problem != nil {
		return "", problem
	}
	if v.id == "" {
		v.open()
	}
	v.states = append(v.states, start.State) // several: a person may log in in two tabs
	v.states = v.states[max(0, len(v.states)-5):]
	return start.URL, nil
}

func loginReturn(v *visit) (string, *failure) {
	query := v.r.URL.Query()
	at := slices.Index(v.states, query.Get("state"))
	if at < 0 && v.tokens == nil {
		return "", &failure{Message: foreign}
	} else if at >= 0 && query.Has("error") { // the state stays: the person may go back and agree
		message := map[string]string{"access_denied": refused, "login_expired": expired}[query.Get("error")]
		return "", &failure{Message: cmp.Or(message, other)}
	} else if at >= 0 {
		v.states = slices.Delete(v.states, at, at+1)
		form := url.Values{"provider": query["provider"], "state": query["state"], "code": query["code"]} // as they came
		var pair tokens
		if problem := v.call("/api/v1/oauth/authorize/", form, "", &pair); problem != nil {
			return "", problem
		}
		v.keep(pair)
		v.open() // with a new id
	}
	return "/", nil // an address without state and code
}

func logout(v *visit) (string, *failure) {
	old := v.tokens
	v.close()
	if old != nil {
		_ = v.call("/api/v1/oauth/revoke/", url.Values{"token": {old.Refresh}}, "", nil) // it is in the log
	}
	return "/", nil
}

func handle(route func(*visit) (string, *failure)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 1_000)
		v := &visit{w, r, &session{}}
		if cookie, err := r.Cookie("session"); err == nil {
			if found, ok := sessions.Load(cookie.Value); ok {
				v.session = found.(*session)
			}
		}
		v.Lock()
		defer v.Unlock()
		location, problem := route(v)
		if problem != nil && r.URL.Path == "/" {
			v.show(503, content{Message: problem.Message})
			return
		} else if problem != nil {
			if v.id == "" {
				v.open()
			}
			v.message, location = problem.Message, "/"
		}
		if location != "" {
			http.Redirect(w, r, location, http.StatusSeeOther)
		}
	}
}

func main() {
	if slices.Contains([]string{auth, os.Getenv("SITE_ID"), os.Getenv("SITE_SECRET"), redirectURL}, "") {
		log.Fatal("Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.")
	}
	http.HandleFunc("GET /{$}", handle(home))
	http.HandleFunc("POST /login", handle(login))
	http.HandleFunc("GET "+site.Path, handle(loginReturn))
	http.HandleFunc("POST /logout", handle(logout))
	// A form of another site must not log anybody in or out.
	protection := http.NewCrossOriginProtection()
	_ = protection.AddTrustedOrigin(site.Scheme + "://" + site.Host)
	address := "127.0.0.1:" + cmp.Or(os.Getenv("SITE_PORT"), site.Port())
	log.Printf("My site: %s://%s/", site.Scheme, site.Host)
	log.Fatal(http.ListenAndServe(address, protection.Handler(http.DefaultServeMux)))
}
