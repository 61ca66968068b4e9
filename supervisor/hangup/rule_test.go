package hangup

import (
	"net/netip"
	"testing"
	"time"
)

// looked is the same at all looks of before.
func looked(t Traffic) Looks { return Looks{&t, &t} }

// TestEnds: what is ended, and from when on after the signal.
func TestEnds(t *testing.T) {
	const ms, never = time.Millisecond, time.Hour
	first := 150 * ms
	for name, row := range map[string]struct {
		traffic Traffic
		from    time.Duration
	}{
		"opened ahead":                         {Traffic{LastReceived: ahead, LastSent: ahead}, first},
		"about to make its request":            {Traffic{LastReceived: ahead - ms, LastSent: ahead - ms}, never},
		"opened ahead, the server has spoken":  {Traffic{Acked: 80, Out: 1, LastReceived: time.Minute, LastSent: time.Minute}, first},
		"a fresh request without an answer":    {Traffic{Received: 100, In: 1, LastReceived: 3 * time.Second, LastSent: 3 * time.Second}, never},
		"an old one without an answer":         {Traffic{Received: 900, Acked: 900, In: 9, Out: 8, LastReceived: 3 * time.Second, LastSent: 4 * time.Second}, never},
		"answered, kept alive":                 {Traffic{Received: 900, Acked: 900, In: 9, Out: 9, LastReceived: 4020 * ms, LastSent: 4 * time.Second}, first},
		"a stream that ticked":                 {Traffic{Received: 100, Acked: 9000, In: 1, Out: 90, LastReceived: time.Minute, LastSent: 400 * ms}, first},
		"a quiet stream, old":                  {Traffic{Received: 100, Acked: 100, In: 1, Out: 1, LastReceived: undecided, LastSent: undecided}, first},
		"a quiet stream, young":                {Traffic{Received: 100, Acked: 100, In: 1, Out: 1, LastReceived: undecided - ms, LastSent: undecided - ms}, never},
		"a request just behind an answer":      {Traffic{Received: 900, Acked: 900, In: 9, Out: 8, LastReceived: 1900 * ms, LastSent: 1904 * ms}, never},
		"a request just behind an answer, old": {Traffic{Received: 900, Acked: 900, In: 9, Out: 8, LastReceived: 2900 * ms, LastSent: 2904 * ms}, never},
		"one behind an answer of many pieces":  {Traffic{Received: 900, Acked: 90_000, In: 9, Out: 20, LastReceived: 2900 * ms, LastSent: 2904 * ms}, never},
		"the first request of TLS":             {Traffic{Received: 800, Acked: 2300, In: 2, Out: 2, LastReceived: time.Minute, LastSent: time.Minute}, never},
		"an upload that goes on":               {Traffic{Received: 1 << 20, Acked: 900, In: 99, Out: 8, LastReceived: 0, LastSent: 4 * time.Second}, never},
		"a download to who reads slowly":       {Traffic{Received: 100, Acked: 1 << 20, In: 1, Out: 99, LastReceived: 4 * time.Second, LastSent: 160 * ms}, first},
	} {
		for _, since := range []time.Duration{first, download - 1, download, 5 * time.Second} {
			if got, want := row.traffic.Ends(looked(row.traffic), since), since >= row.from; got != want {
				t.Errorf("%s: ended %v after the signal: %v", name, since, got)
			}
		}
	}
}

// TestEndsOfWhatFlows: a stream of events is ended at once, a download not before it had its time.
func TestEndsOfWhatFlows(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		age         time.Duration // of the request
		before, now uint64        // bytes sent
		pieces      uint32        // since before, in which they came
		want        bool          // ended before a download has had its time
	}{
		"a stream that ticks":                                        {stream, 9000, 9100, 1, true},
		"one that has begun to":                                      {stream - ms, 900, 1000, 1, false},
		"a download of 400 ms in small pieces":                       {400 * ms, 10_000, 20_000, 100, false},
		"a download":                                                 {time.Minute, 10_000, 20_000, 2, false},
		"a download behind many small answers":                       {time.Minute, 100, 20_000, 8, false},
		"a download to who reads slowly":                             {time.Minute, 100_000, 165_000, 1, false},
		"between two small events":                                   {time.Minute, 9000, 9000, 0, true},
		"between two large ones":                                     {time.Minute, 61 * smallEvent, 61 * smallEvent, 0, false},
		"between two pieces of a download behind many small answers": {time.Minute, 49_000, 49_000, 0, false},
		"between two small events, young":                            {stream - ms, 9000, 9000, 0, false},
	} {
		first := Traffic{Received: 100, Acked: 100, Sent: row.before, In: 1, Out: 60, LastReceived: row.age - 100*ms, LastSent: 20 * ms}
		now := first
		now.Sent, now.Out, now.LastReceived = row.now, first.Out+row.pieces, row.age
		if got := now.Ends(looked(first), 150*ms); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
		now.LastSent = flows // it comes to a halt
		if got, want := now.Ends(looked(first), 300*ms), row.pieces == 0 || row.now-row.before < event*uint64(row.pieces); got != want {
			t.Errorf("%s, and halts: %v", name, got)
		}
		if !now.Ends(looked(first), download) {
			t.Errorf("%s: not ended after %v", name, download)
		}
	}
}

// TestEndsOfATalk: what goes on after the signal is ended when the last thing was an answer.
func TestEndsOfATalk(t *testing.T) {
	const ms = time.Millisecond
	first := Traffic{Received: 1000, Acked: 2000, Sent: 2000, In: 10, Out: 10, LastReceived: 20 * ms, LastSent: 20 * ms}
	for name, row := range map[string]struct {
		now  Traffic
		want bool
	}{
		"a websocket":                                      {Traffic{Received: 1100, Acked: 2100, In: 12, Out: 12, LastReceived: pause, LastSent: pause}, true},
		"perhaps half of an answer":                        {Traffic{Received: 1100, Acked: 2100, In: 12, Out: 12, LastReceived: pause - ms, LastSent: pause - ms}, false},
		"a websocket whose answers come together":          {Traffic{Received: 1200, Acked: 2100, In: 14, Out: 12, LastReceived: 8 * ms, LastSent: 4 * ms}, false},
		"an answer of which the kernel holds a piece back": {Traffic{Received: 1200, Acked: 2100, In: 12, Out: 11, Unsent: 9, LastReceived: whole, LastSent: whole}, true},
		"and just got it":                                  {Traffic{Received: 1200, Acked: 2100, In: 12, Out: 11, Unsent: 9, LastReceived: 0, LastSent: 0}, false},
		"an answer in another number of pieces":            {Traffic{Received: 1200, Acked: 2400, In: 12, Out: 24, LastReceived: 20 * ms, LastSent: 8 * ms}, false},
		"a request at the very time of an answer":          {Traffic{Received: 1150, Acked: 2100, In: 13, Out: 12, LastReceived: 4 * ms, LastSent: 4 * ms}, false},
		"in the middle of a request":                       {Traffic{Received: 1150, Acked: 2100, In: 13, Out: 12, LastReceived: 0, LastSent: 4 * ms}, false},
		"one more request, just answered":                  {Traffic{Received: 1050, Acked: 2050, In: 11, Out: 11, LastReceived: 0, LastSent: 0}, false},
		"one more, of which the header is sent":            {Traffic{Received: 1050, Acked: 2050, In: 11, Out: 11, LastReceived: 44 * ms, LastSent: 44 * ms}, false},
		"one more, of which much is sent":                  {Traffic{Received: 1050, Acked: 9000, Sent: 16480, In: 11, Out: 20, LastReceived: 44 * ms, LastSent: 20 * ms}, false},
		"an upload":                                        {Traffic{Received: 9000, Acked: 2000, In: 99, Out: 10, LastReceived: 0, LastSent: time.Second}, false},
		"an upload with an interim reply":                  {Traffic{Received: 9000, Acked: 2030, In: 99, Out: 11, LastReceived: 0, LastSent: 900 * ms}, false},
		"one that waits for its interim reply":             {Traffic{Received: 1050, Acked: 2025, In: 11, Out: 11, LastReceived: 16 * ms, LastSent: 16 * ms}, false},
		"a small message and its answer":                   {Traffic{Received: 1006, Acked: 2006, In: 11, Out: 11, LastReceived: whole, LastSent: whole}, true},
		"small messages, an answer to all of them":         {Traffic{Received: 1018, Acked: 2006, In: 13, Out: 11, LastReceived: 12 * ms, LastSent: 8 * ms}, true},
		"a small message behind an answer":                 {Traffic{Received: 1012, Acked: 2006, In: 12, Out: 11, LastReceived: 0, LastSent: 4 * ms}, false},
		"the smallest request and an answer":               {Traffic{Received: 1000 + request, Acked: 2006, In: 11, Out: 11, LastReceived: 8 * ms, LastSent: 8 * ms}, false},
	} {
		if got := row.now.Ends(looked(first), 200*ms); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !(Traffic{Received: 9000, Acked: 9000, In: 99, Out: 99}).Ends(looked(first), download) {
		t.Error("a websocket that is never quiet goes on for ever")
	}
	begun := Traffic{Received: 5, Acked: 1500, In: 1, Out: 1, LastReceived: 40 * ms, LastSent: 40 * ms}
	if begun.Ends(looked(Traffic{}), 200*ms) {
		t.Error("what is sent first on a connection that was opened since counts as an answer")
	}
}

// TestEndsOfBusyConnections: a client that makes one request after the other has one under way at the looks.
func TestEndsOfBusyConnections(t *testing.T) {
	const ms = time.Millisecond
	first := Traffic{Received: 1100, Acked: 2000, Sent: 2000, In: 11, Out: 10, LastReceived: 10 * ms, LastSent: 10 * ms}
	for n := range uint32(4) { // requests since, each just behind the answer to the one before
		now := Traffic{Received: 1100 + uint64(n)*100, Acked: 2000 + uint64(n)*200, In: 11 + n, Out: 10 + n, LastReceived: 8 * ms, LastSent: 8 * ms}
		if now.Ends(looked(first), 200*ms) {
			t.Errorf("the last of %d more is ended", n)
		}
	}
	// What happened before the app should have made its last answer is no sign that it goes on.
	now := Traffic{Received: 1200, Acked: 2400, In: 12, Out: 12, LastReceived: 20 * ms, LastSent: 16 * ms}
	if now.Ends(Looks{}.with(first, 0).with(now, last).with(now, last), 73*ms) {
		t.Error("two answers before that count")
	}
}

// TestLooks: which looks the rule goes by.
func TestLooks(t *testing.T) {
	idle, busy := Traffic{In: 5, Out: 10}, Traffic{In: 6, Out: 10}
	var l Looks
	for i, look := range []struct {
		t     Traffic
		since time.Duration
	}{{busy, 0}, {idle, last - 1}, {busy, last}, {idle, 2 * last}, {Traffic{In: 9, Out: 9}, 3 * last}} {
		l = l.with(look.t, look.since)
		if *l.Signal != busy || (l.Idle != nil) != (i >= 3) {
			t.Errorf("look %d: %+v", i, l)
		}
	}
	if *l.Idle != idle {
		t.Errorf("%+v", *l.Idle)
	}
}

func TestHearing(t *testing.T) {
	for name, row := range map[string]struct {
		traffic Traffic
		unread  uint64
		want    hearing
	}{
		"just connected":    {Traffic{LastReceived: time.Millisecond}, 0, pending},
		"opened ahead":      {Traffic{LastReceived: ahead}, 0, heard},
		"not read":          {Traffic{Received: 100}, 100, pending},
		"read":              {Traffic{Received: 100}, 0, reading},
		"read long ago":     {Traffic{Received: 100, LastReceived: ahead}, 0, heard},
		"an upload, partly": {Traffic{Received: 70000}, 60000, reading},
		"the next request":  {Traffic{Received: 100, Acked: 100}, 100, heard},
		"answered":          {Traffic{Received: 100, Acked: 100}, 0, heard},
	} {
		if got := row.traffic.hearing(row.unread); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAppHas(t *testing.T) {
	app := App{At: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("[::]:81")}}
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.0.0.2:80": false, "127.0.0.1:81": true, "[::1]:81": true, "[::1]:80": false, "127.0.0.1:50000": false,
	} {
		if got := app.has(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}
