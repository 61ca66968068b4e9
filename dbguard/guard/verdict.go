package guard

// kind is what is behind a URL, in the words of the log.
type kind string

const (
	postgres          kind = "postgres"
	sessionPooler     kind = "session-pooler"
	transactionPooler kind = "transaction-pooler"
	unknown           kind = "unknown"
)

// verdict is what a probe found.
type verdict struct {
	kind      kind
	reason    string // one line, for the log
	reached   bool   // something answered
	connected bool   // we had a session
	checks    bool   // a session may be given client_connection_check_interval
}

// pooled reports whether sessions may exist there that carry the app's label
// and are a pooler's: also when we could not find out.
func (v verdict) pooled() bool { return v.kind != postgres && v.reached }

// verdict completes what was found out about a pooler.
func (k kind) verdict(detail string) verdict {
	return verdict{kind: k, reached: true, connected: true, reason: detail}
}
