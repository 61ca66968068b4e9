package supervisor

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
)

// TestPortTakenByWhom: who is named has an address that the app may have wanted, and is nobody of ours.
func TestPortTakenByWhom(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^$")
	if err := child.Start(); err != nil { // until Wait it is there
		t.Fatal(err)
	}
	defer child.Wait()
	at := netip.MustParseAddrPort
	anyOf := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, port) }
	cfg := config.Default(t.TempDir())
	cfg.Ready.TCP = "127.0.0.1:9090"
	for name, row := range map[string]struct {
		before  []netip.AddrPort // where a generation was ready
		owner   int
		asked   []netip.AddrPort
		isNamed bool
	}{
		"nobody listened before":         {nil, os.Getppid(), []netip.AddrPort{anyOf(8080)}, true},
		"the address is known":           {[]netip.AddrPort{at("127.0.0.1:8080")}, os.Getppid(), []netip.AddrPort{anyOf(9090)}, true},
		"by nobody":                      {[]netip.AddrPort{at("127.0.0.1:8080")}, 0, []netip.AddrPort{anyOf(9090), at("127.0.0.1:8080")}, false},
		"by one that devguard started":   {nil, child.Process.Pid, []netip.AddrPort{anyOf(8080), anyOf(9090)}, false},
		"by devguard itself, two before": {[]netip.AddrPort{at("[::]:8080"), at("[::1]:9090")}, os.Getpid(), []netip.AddrPort{at("[::]:8080"), at("[::1]:9090")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []netip.AddrPort
			s := &Supervisor{Options: Options{PortOwner: func(at netip.AddrPort) (int, string, bool) {
				asked = append(asked, at)
				return row.owner, "other", row.owner > 0
			}}, ports: row.before, holder: listeners.New(func(logline.Line) {})}
			defer s.holder.Close()
			note, _ := s.portTaken(s.wanted(&generation{port: "8080", cfg: cfg}), 0).(change.Note)
			want := ""
			if row.isNamed {
				want = fmt.Sprintf("port %d is in use by process %d (other)", row.asked[0].Port(), row.owner)
			}
			if note.Msg != want || !slices.Equal(asked, row.asked) {
				t.Errorf("said %q, want %q; asked for %v, want %v", note.Msg, want, asked, row.asked)
			}
		})
	}
}
