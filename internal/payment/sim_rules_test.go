package payment

import (
	"testing"
	"time"
)

// Each rule is needed: without it, some seed breaks a promise.
func TestRulesAreNeeded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		off   without
		seeds uint64
		// mostly is set for a rule that prevents most faults, not all.
		mostly bool
	}{
		{"R1: negative answers are fenced", without{machine: ruleFencedAnswers}, 20000, false},
		{"R2: a refusal is believed once", without{machine: ruleOneRefusal}, 20000, false},
		{"R3: the provider is not fenced", without{machine: ruleWait}, 20000, false},
		{"R4: an empty log proves little", without{machine: ruleEmptyLog, focus: func(f *weather) {
			f.startDeadline, f.kills, f.postLate, f.postRefused = 30*time.Second, 3, 0.7, 0.3
			f.deleteStatus, f.deleteQueue = true, false
		}}, 20000, false},
		{"R5: sequences never repeat", without{repeatSequences: true}, 20000, false},
		{"R6 (d): a claim that is gone", without{machine: ruleClaimLost, focus: func(f *weather) {
			f.deleteStatus, f.deleteQueue = true, false
		}}, 20000, false},
		{"R7: who knows that the order exists keeps it", without{machine: ruleKeepWhatExists, focus: func(f *weather) {
			f.startDeadline, f.cuts, f.lost, f.slow = 30*time.Second, 3, 0, 0
			f.slowest, f.pretransaction = 5*time.Second, 20*time.Second
			f.deleteStatus, f.deleteQueue = false, false
		}}, 20000, false},
		{"R12: fold by overlap", without{machine: ruleOverlap}, 20000, false},
		{"R17: a second look", without{machine: ruleSecondLook, focus: func(f *weather) { f.answerLag = lagLimit }}, 20000, true},
		{"the sweep", without{noSweep: true}, 20000, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range tt.seeds {
				w := simulate(seed, tt.off, nil)
				if len(w.audit.faults) == 0 {
					continue
				}
				with := simulate(seed, without{focus: tt.off.focus}, nil).audit.faults
				if len(with) > 0 && tt.mostly {
					continue
				}
				t.Logf("seed %d: %s", seed, w.audit.faults[0])
				if len(with) > 0 {
					t.Errorf("with it: %s", with[0])
				}
				return
			}
			t.Errorf("%d seeds found nothing without it", tt.seeds)
		})
	}
}
