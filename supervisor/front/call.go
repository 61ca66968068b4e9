package front

import (
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
)

// call is the body of an answer of gRPC. One that the app does not finish ends with the status by which
// clients without us see a connection that is lost, and which they may try again on.
type call struct {
	answerBody
	answer *http.Response
}

// Read returns what the app sends.
func (c *call) Read(p []byte) (int, error) {
	n, err := c.answerBody.Read(p)
	if err != nil && err != io.EOF {
		// Trailers that the app has announced stay among them: ReverseProxy counts them.
		trailer := maps.Clone(c.answer.Trailer)
		if trailer == nil {
			trailer = http.Header{}
		}
		trailer.Set("Grpc-Status", unavailable)
		trailer.Set("Grpc-Message", "devguard: the app has ended")
		c.answer.Trailer = trailer
		err = io.EOF
	}
	return n, err
}

// unavailable is UNAVAILABLE of gRPC.
const unavailable = "14"

// isCall reports whether an answer is one of gRPC.
func isCall(r *http.Response) bool {
	if r.ProtoMajor != 2 {
		return false
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t == "application/grpc" || strings.HasPrefix(t, "application/grpc+")
}
