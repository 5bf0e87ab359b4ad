/* The protocol of faction/node.py and faction/peers.py, version 2, for the model checker spin: N nodes, 2 or 3, a quorum of Q.
   promela.py beside this file runs it.

   What is modelled
    1. The machine: its table, its set of ready members, its quorum check, with the names and numbers of faction/machine.py.
    2. Statements with ages: one about each member, replaced by a later one only. A relayed age is as it is, or one unit older,
       as rounding up can make it. A statement counts if it is no older than the run that counts it. All of a frame is taken
       in before anything of it is counted.
    3. Withdrawals: by the member itself, by a relayed statement two units later, by silence.
    4. A clock that goes on without end. All ages grow with it, up to MAX: then the statement is forgotten, as presence_ms does it.
    5. restart(), which forgets all statements; cancel(), which is the deadline, too.
    6. With FAIR: who speaks until when. A node asks until its verdict; who knows what an asker lacks and could count, answers; a
       concluded node carries a question on if it knows nothing that counts; the farewells.
    7. With LINE: a node hears its neighbours only.
    8. With KEY: runs, challenges, quotes, and an intruder who has every frame that could ever be sent and plays any of them back at
       any time. A member quotes a challenge as soon as that is on the air, and the intruder always takes the frame of its kind that
       proves most. So a node meets more than a real intruder can do. Frames of one run and one phase of it (not ready, ready, timed
       out) are alike. Statements about others are left out, and time: a member may be silent for too long whenever it likes.

   What is not modelled
    9. Without KEY: frames that come late or twice, and so the runs and sequences that tell them apart. A frame arrives at once, or
       never. The exhaustive search (exhaustive.py, late_ms) has them.
   10. The set of those who take part: it decides nothing, which machine_states.py checks.
   11. When a node speaks: Trickle, delays of answers, budgets. A frame is sent whenever it can be, or later, or not at all.
   12. The age of a question. It goes one hop beyond the neighbour, which is all that three nodes need.
   13. The common start, conflicts. With KEY: whom a node quotes when, and the limit of four challenges: fewer frames prove less.

   Two models in one file. Without FAIR: can anything bad happen? With FAIR: must the good thing happen? There the clock goes on when
   a node completes or begins a run, so what changes is later than what was said before.

   To run it, define N, Q and RESTARTS (of all nodes together). Define also, where needed: LINE, DEADLINES, FAIR with
   FAREWELLS and perhaps LOSSLESS, KEY, WITNESS (what must be possible). NEVER_RENEWED is a bug for KEY: a challenge that lasts as
   long as its run, as in version 1 of the protocol. */

#ifdef FAIR
#define MAX (N + RESTARTS + 2)
#else
#define MAX 3
#endif

/* The machine */

#define INITIAL 0
#define PINGING 1
#define COLLECTING 2
#define BOOTSTRAPPED 3
#define TIMED_OUT 4

#define PARTICIPATION_OBSERVED 0
#define READY_OBSERVED 1
#define LOCAL_PARTICIPATION_COMPLETED 2
#define DEADLINE_EXPIRED 3
#define PROBE 4
#define WITHDRAWAL_OBSERVED 5
#define COMMANDS 6

#define ACCEPTED (1 << 0)
#define REJECTED (1 << 1)
#define PROBED (1 << 2)
#define PARTICIPATION_ACCEPTED (1 << 3)
#define READY_ACCEPTED (1 << 4)
#define LOCAL_COMPLETED (1 << 5)
#define BROADCAST_READY (1 << 6)
#define CONCLUDED_TIMED_OUT (1 << 8)
#define NOT_ADMISSIBLE (1 << 11)
#define CONCLUDED (1 << 12)
#define WITHDRAWAL_ACCEPTED (1 << 15)

#define TO(state) ((state) << 16)
#define CHECK_QUORUM (1 << 19)

#define HEARD (ACCEPTED | PARTICIPATION_ACCEPTED)
#define READY_HEARD (ACCEPTED | READY_ACCEPTED)
#define LOCAL (ACCEPTED | LOCAL_COMPLETED | BROADCAST_READY | TO(COLLECTING) | CHECK_QUORUM)
#define DEADLINE (ACCEPTED | CONCLUDED_TIMED_OUT | TO(TIMED_OUT))
#define WITHDRAWN (ACCEPTED | WITHDRAWAL_ACCEPTED)
#define REFUSED (REJECTED | NOT_ADMISSIBLE)
#define CLOSED (REJECTED | CONCLUDED)

#define ROW(state, participation, ready, local, deadline, probe, withdrawal) \
    table[state * COMMANDS] = participation; table[state * COMMANDS + 1] = ready; table[state * COMMANDS + 2] = local; \
    table[state * COMMANDS + 3] = deadline; table[state * COMMANDS + 4] = probe; \
    table[state * COMMANDS + 5] = withdrawal

hidden int table[30];

inline write_table() {
    /*                PARTICIPATION_OBSERVED  READY_OBSERVED              LOCAL    DEADLINE  PROBE   WITHDRAWAL_OBSERVED */
    ROW(INITIAL,      HEARD | TO(PINGING),    READY_HEARD | TO(PINGING),  LOCAL,   DEADLINE, PROBED, REFUSED);
    ROW(PINGING,      HEARD,                  READY_HEARD,                LOCAL,   DEADLINE, PROBED, WITHDRAWN);
    ROW(COLLECTING,   REFUSED,                READY_HEARD | CHECK_QUORUM, REFUSED, DEADLINE, PROBED, WITHDRAWN);
    ROW(BOOTSTRAPPED, CLOSED,                 CLOSED,                     CLOSED,  CLOSED,   PROBED, CLOSED);
    ROW(TIMED_OUT,    CLOSED,                 CLOSED,                     CLOSED,  CLOSED,   PROBED, CLOSED)
}

byte state[N];
byte collecting[N];   /* a bit a member */
bool completed[N];    /* is_pinging_completed */

#define SIZE(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1))

/* The node */

#define ASKING 1
#define READY 2
#define AT(i, j) ((i) * N + (j))
#define IS_CONCLUDED(i) (state[i] >= BOOTSTRAPPED)
#define IS_READY(i) (completed[i] && state[i] != TIMED_OUT)
#ifdef LINE
#define NEAR(i, j) ((i) == (j) + 1 || (j) == (i) + 1)
#else
#define NEAR(i, j) ((i) != (j))
#endif

byte age[N * N];      /* AT(i, j): how old the statement about j is that i knows, in units; MAX: it knows none */
bool says[N * N];     /* whether it is READY */
byte run_age[N];      /* how old its run is; MAX: that old or older */
byte restarts;

#ifdef FAIR
bool answer_due[N];
bool carrying[N];     /* its next frame carries a question on */
byte farewells[N];
#ifndef LOSSLESS
bool heeds[N * N];    /* AT(i, j): j is sure to receive the next frame of i */
#endif
#endif

#ifdef KEY
/* Challenges of a node are numbers that go on from run to run. It knows who has quoted which; nobody can guess one. */
#define RUNS (RESTARTS + 1)
#define PHASE(i) (state[i] == TIMED_OUT -> 2 : (completed[i] -> 1 : 0))
#define QUOTED(i, j, its_run, its_phase) quoted[(AT(i, j) * RUNS + its_run - 1) * 3 + its_phase]

byte runs[N];                  /* the number of its present run */
byte challenge[N];             /* the latest one that is on the air */
bool is_used_up[N];            /* the next frame has a new one */
byte current[N * N];           /* AT(i, j): the run of j that i has accepted; 0: none */
byte phase[N * N];             /* of the frame of it that counted last */
byte spent[N * N];             /* AT(i, j): the challenge of i that is too old to prove a run of j */
byte quoted[N * N * RUNS * 3]; /* the latest challenge of i that a frame of j quotes, by run and phase of the frame, plus 1; 0: no frame */
/* For properties only, AT(i, j): the latest run of j that i has ever accepted; whether j was ready in the present run of i. */
byte latest[N * N];
bool was_ready[N * N];
hidden byte told_run, told_phase, is_counted;
#endif

/* What really happened, which no node knows but from the air; properties are about this. */
byte claimed[N];      /* how long ago a frame said that its sender is ready; MAX: that long or longer, or never */
byte verdict[N];      /* of this run; 0: none yet */
#ifdef WITNESS
bool was_relayed;     /* a readiness was withdrawn because of a relayed statement */
bool was_withheld;    /* a frame of a run that is over counted */
#endif

hidden byte member, other_node, receiver, told;  /* of one step: each sets them before it reads them */
hidden byte told_ready, must_leave, is_question;
hidden int cell;

/* Feed a command to the machine of i, about member j. */
inline process(self, command, other) {
    cell = table[state[self] * COMMANDS + command];
    if
    :: !(cell & ACCEPTED) -> cell = 0
    :: cell & ACCEPTED && command == READY_OBSERVED ->
        if
        :: collecting[self] & (1 << other) -> cell = 0    /* a duplicate */
        :: else -> collecting[self] = collecting[self] | (1 << other)
        fi
    :: cell & ACCEPTED && command == WITHDRAWAL_OBSERVED -> collecting[self] = collecting[self] & ~(1 << other)
    :: cell & LOCAL_COMPLETED -> completed[self] = true; collecting[self] = collecting[self] | (1 << self)
    :: else
    fi;
    if
    :: cell & CHECK_QUORUM && SIZE(collecting[self]) >= Q -> state[self] = BOOTSTRAPPED
    :: else ->
        if :: (cell >> 16) & 7 -> state[self] = (cell >> 16) & 7 :: else fi
    fi;
    watch(self)
}

/* What must hold after each command. */
inline watch(self) {
    /* A conclusion stands. */
    assert(verdict[self] == 0 || state[self] == verdict[self]);
    /* Nobody is bootstrapped before its own part is done, and without a quorum. */
    assert(state[self] != BOOTSTRAPPED || completed[self]);
    assert(state[self] != BOOTSTRAPPED || verdict[self] || SIZE(collecting[self]) >= Q);
    /* Nobody believes what is said about itself. */
    assert(completed[self] || !(collecting[self] & (1 << self)));
    if
    :: IS_CONCLUDED(self) -> verdict[self] = state[self]; collecting[self] = 0    /* unread from here on */
    :: else
    fi
}

/* Keep a statement about a member. */
inline learn(to, about, old, is_ready) {
    if
    :: says[AT(to, about)] && !is_ready -> process(to, WITHDRAWAL_OBSERVED, about)
    :: else
    fi;
    age[AT(to, about)] = old;
    says[AT(to, about)] = is_ready
}

/* Node to hears a frame of node from. What it relays looks as old as it is, or older by what rounding adds. */
inline hear(to, from, rounding) {
    assert(!IS_READY(from) || completed[from]);    /* a claim is true */
    if :: IS_READY(from) -> claimed[from] = 0 :: else fi;
    answer(to, from);
    must_leave = !IS_READY(from);
    learn(to, from, 0, IS_READY(from));
    assert(age[AT(to, to)] == MAX);    /* nobody believes what is said about itself */
    assert(!(must_leave && collecting[to] & (1 << from)));
#if N > 2
    other_node = 3 - to - from;
    told = age[AT(from, other_node)];
    told_ready = says[AT(from, other_node)];
    if
    :: told < MAX -> told = told + rounding
    :: else
    fi;
    must_leave = told < MAX && !told_ready && told + 2 <= age[AT(to, other_node)];
    if
    :: told < age[AT(to, other_node)] && (told_ready || !says[AT(to, other_node)] || told + 2 <= age[AT(to, other_node)]) ->
        note_relay(to, other_node);
        learn(to, other_node, told, told_ready)
    :: else
    fi;
    /* Who has learned of a withdrawal does not go on counting. */
    assert(!(must_leave && collecting[to] & (1 << other_node)));
#endif
    member = 0;
    do
    :: member < N ->
        if
        :: member != to && age[AT(to, member)] < MAX && age[AT(to, member)] <= run_age[to] -> observe(to, member)
        :: else
        fi;
        member++
    :: else -> break
    od;
    skip
}

inline note_relay(to, about) {
#ifdef WITNESS
    if :: says[AT(to, about)] && !told_ready && collecting[to] & (1 << about) -> was_relayed = true :: else fi
#else
    skip
#endif
}

#ifdef KEY
#define HAS_CLAIMED(to, about) (was_ready[AT(to, about)])
#else
#define HAS_CLAIMED(to, about) (claimed[about] < MAX && claimed[about] <= run_age[to])
#endif

inline observe(to, about) {
    process(to, PARTICIPATION_OBSERVED, about);
    if
    :: says[AT(to, about)] && !IS_CONCLUDED(to) && !(collecting[to] & (1 << about)) ->
        /* Nobody counts a readiness that its owner did not claim itself, in a frame sent within the counter's present run. */
        assert(HAS_CLAIMED(to, about));
        process(to, READY_OBSERVED, about)
    :: else
    fi
}

/* Whether the frame of an asker lacks the readiness of a member, that node to knows and the asker could count. */
#define LACKS(asker, to, j) (!says[AT(asker, j)] || age[AT(asker, j)] > run_age[asker])
#define COULD_COUNT(asker, to, j) (says[AT(to, j)] && age[AT(to, j)] < MAX && age[AT(to, j)] <= run_age[asker])

inline answer(to, from) {
#ifdef FAIR
    if
    :: !IS_CONCLUDED(from) ->
        if :: IS_READY(to) && LACKS(from, to, to) -> answer_due[to] = true :: else fi;
#if N > 2
        other_node = 3 - to - from;
        if
        :: LACKS(from, to, other_node) && COULD_COUNT(from, to, other_node) -> answer_due[to] = true
        :: LACKS(from, to, other_node) && !COULD_COUNT(from, to, other_node) && IS_CONCLUDED(to) ->
            answer_due[to] = true;
            carrying[to] = true
        :: else
        fi
#endif
    :: else
    fi
#else
    skip
#endif
}

#ifdef KEY

/* A frame of a run and phase of node from reaches node to, whoever plays it. */
inline judge(to, from) {
    is_counted = false;
    if
    :: told_run == current[AT(to, from)] -> is_counted = told_phase >= phase[AT(to, from)]
    :: told_run != current[AT(to, from)] && QUOTED(to, from, told_run, told_phase) - 1 > spent[AT(to, from)] ->
        is_counted = true;
        current[AT(to, from)] = told_run;
#ifndef NEVER_RENEWED
        spent[AT(to, from)] = challenge[to];
        is_used_up[to] = true
#endif
    :: else
    fi;
    if
    :: is_counted ->
        /* What counts was said by the latest run that is known. */
        assert(told_run >= latest[AT(to, from)]);
        latest[AT(to, from)] = told_run;
        phase[AT(to, from)] = told_phase;
        note_withheld(from);
        learn(to, from, 0, told_phase == 1);
        observe(to, from)
    :: else
    fi
}

inline note_withheld(from) {
#ifdef WITNESS
    if :: told_run < runs[from] -> was_withheld = true :: else fi
#else
    skip
#endif
}

/* All that can be said now is said, and recorded. */
inline record() {
    member = 0;
    do
    :: member < N ->
        receiver = 0;
        do
        :: receiver < N ->
            if
            :: receiver != member && runs[member] > 0 ->
                QUOTED(receiver, member, runs[member], PHASE(member)) = challenge[receiver] + 1;
                was_ready[AT(receiver, member)] = was_ready[AT(receiver, member)] || IS_READY(member)
            :: else
            fi;
            receiver++
        :: else -> break
        od;
        member++
    :: else -> break
    od;
    skip
}

inline begin_challenges(me) {
    runs[me]++;
    challenge[me]++;
    is_used_up[me] = false;
    member = 0;
    do
    :: member < N ->
        current[AT(me, member)] = 0; phase[AT(me, member)] = 0; spent[AT(me, member)] = challenge[me] - 1;
        was_ready[AT(me, member)] = false;
        member++
    :: else -> break
    od;
    skip
}

#else
#define begin_challenges(me) skip
#define record() skip
#endif

/* One unit of time passes for all. */
inline pass() {
    member = 0;
    do
    :: member < N ->
        if :: run_age[member] < MAX -> run_age[member]++ :: else fi;
        if :: claimed[member] < MAX -> claimed[member]++ :: else fi;
        receiver = 0;
        do
        :: receiver < N ->
            if
            :: age[AT(receiver, member)] < MAX ->
                age[AT(receiver, member)]++;
                if
                :: age[AT(receiver, member)] == MAX -> learn(receiver, member, MAX, false)    /* silence withdraws */
                :: else
                fi
            :: else
            fi;
            receiver++
        :: else -> break
        od;
        member++
    :: else -> break
    od;
    skip
}

inline complete(me) {
    pass_if_fair();
    process(me, LOCAL_PARTICIPATION_COMPLETED, me);
    record()
}

inline pass_if_fair() {
#ifdef FAIR
    pass()
#else
    skip
#endif
}

inline cancel(me) {
    process(me, DEADLINE_EXPIRED, me);
#ifdef FAIR
    if
    :: cell & ACCEPTED -> farewells[me] = 0
    :: else
    fi;
#endif
    record()
}

inline begin_run(me) {
    state[me] = INITIAL;
    collecting[me] = 0; completed[me] = false; verdict[me] = 0; run_age[me] = 0;
    member = 0;
    do
    :: member < N -> age[AT(me, member)] = MAX; says[AT(me, member)] = false; member++
    :: else -> break
    od;
    assert(age[AT(me, (me + 1) % N)] == MAX);    /* a new run knows nothing */
#ifdef FAIR
    answer_due[me] = false;
    carrying[me] = false;
    farewells[me] = FAREWELLS;
#endif
    begin_challenges(me);
    record()
}

/* Who takes part */

/* Its last choice, always open, is time that passes while nobody acts: without it, and with fairness, spin passes over a
   cluster that is stuck. */
proctype Restarter(byte i) {
end:
    do
    :: d_step { restarts < RESTARTS -> restarts++; pass_if_fair(); begin_run(i) }
#ifdef FAIR
    :: state[i] >= 0
#endif
    od
}

#ifndef FAIR

#ifdef KEY

#define PLAY(its_run, its_phase) :: QUOTED(j, i, its_run, its_phase) -> told_run = its_run; told_phase = its_phase

/* Frames are heard, or not; and any of them again, at any time. */
proctype Link(byte i, j) {
end:
    do
    :: atomic {
        if
        PLAY(1, 0) PLAY(1, 1) PLAY(1, 2)
#if RESTARTS > 0
        PLAY(2, 0) PLAY(2, 1) PLAY(2, 2)
#endif
#if RESTARTS > 1
        PLAY(3, 0) PLAY(3, 1) PLAY(3, 2)
#endif
#if RESTARTS > 2
        PLAY(4, 0) PLAY(4, 1) PLAY(4, 2)
#endif
        fi;
        d_step { judge(j, i) }
    }
    :: d_step { age[AT(j, i)] < MAX -> learn(j, i, MAX, false) }    /* silence withdraws, as there is no clock */
    od
}

/* A new challenge goes on the air, now or later. */
proctype Renewal(byte i) {
end:
    do
    :: d_step { is_used_up[i] -> is_used_up[i] = false; challenge[i]++; record() }
    od
}

#else

/* Frames are heard, or not. */
proctype Link(byte i, j) {
end:
    do
    :: d_step { hear(j, i, 0) }
#if N > 2
    :: d_step { age[AT(i, 3 - i - j)] < MAX -> hear(j, i, 1) }
#endif
    od
}

#endif

proctype Member(byte i) {
end:
    do
    :: d_step { !completed[i] && !IS_CONCLUDED(i) -> complete(i) }
#ifdef DEADLINES
    :: d_step { cancel(i) }
#endif
    od
}

proctype Clock() {
end:
    do
    :: d_step { pass() }
    od
}

#else

/* Fair air. Each process is a thing that goes on: spin's weak fairness keeps none of them from acting forever. A link
   decides now and then that the next frame arrives, all others are lost. So who sends without end is heard without end,
   and any number of frames may be lost, the last one that somebody ever sends among them. */

#ifdef LOSSLESS
#define RECEIVES(me, receiver) ((receiver) != (me) && NEAR(me, receiver))
#else
#define RECEIVES(me, receiver) (heeds[AT(me, receiver)])
#endif

inline send(me) {
    answer_due[me] = false;
    is_question = carrying[me];
    carrying[me] = false;
    receiver = 0;
    do
    :: receiver < N ->
        if
        :: RECEIVES(me, receiver) ->
#ifndef LOSSLESS
            heeds[AT(me, receiver)] = false;
#endif
            if :: is_question && IS_CONCLUDED(receiver) && completed[receiver] -> answer_due[receiver] = true :: else fi;
            hear(receiver, me, 0)
        :: else
        fi;
        receiver++
    :: else -> break
    od;
    skip
}

#ifndef LOSSLESS
proctype Link(byte i, j) {
end:
    do
    :: d_step { !heeds[AT(i, j)] -> heeds[AT(i, j)] = true }
    od
}
#endif

proctype Timer(byte i) {
end:
    do
    :: d_step { !IS_CONCLUDED(i) || answer_due[i] -> send(i) }
    :: d_step { IS_CONCLUDED(i) && farewells[i] -> farewells[i]--; send(i) }
    od
}

#define COMPLETE(i) :: d_step { !completed[i] && !IS_CONCLUDED(i) -> complete(i) }

/* Everybody completes one day. */
proctype Chores() {
end:
    do
    COMPLETE(0)
    COMPLETE(1)
#if N > 2
    COMPLETE(2)
#endif
    od
}

#ifdef DEADLINES
proctype Deadline(byte i) {
end:
    do
    :: d_step { !IS_CONCLUDED(i) -> cancel(i) }
    od
}
#endif

#define IS_QUIET(i) (IS_CONCLUDED(i) && !answer_due[i] && !farewells[i])

ltl everyone { <>[] (state[0] == BOOTSTRAPPED && state[1] == BOOTSTRAPPED && state[N - 1] == BOOTSTRAPPED) }
ltl silence { <>[] (IS_QUIET(0) && IS_QUIET(1) && IS_QUIET(N - 1)) }

#endif

#ifdef WITNESS
ltl witness { [] !(WITNESS) }
#endif

/* Everything begins */

inline start(me) {
    d_step { begin_run(me); claimed[me] = MAX };
    if
    :: RESTARTS > 0 -> run Restarter(me)
    :: else
    fi;
#ifdef FAIR
    run Timer(me);
#else
    run Member(me);
#endif
#ifdef KEY
    run Renewal(me);
#endif
#if defined(FAIR) && defined(DEADLINES)
    run Deadline(me);
#endif
    skip
}

init {
    byte i = 0, j = 0;
    atomic {
        d_step { write_table() };
        do
        :: i < N && j == N -> i++; j = 0
        :: i < N && j == i -> start(i); j++
#ifndef LOSSLESS
        :: i < N && j < N && j != i && NEAR(i, j) -> run Link(i, j); j++
#else
        :: i < N && j < N && j != i && NEAR(i, j) -> j++
#endif
        :: i < N && j < N && j != i && !NEAR(i, j) -> j++
        :: i == N -> break
        od;
#ifdef FAIR
        run Chores();
#elif !defined(KEY)
        run Clock();
#endif
        i = 0; j = 0
    }
}
