/* The protocol of faction/node.py, for the model checker spin: N nodes, 2 or 3, a quorum of Q, and an air that
   guarantees nothing. promela.py beside this file runs it.

   What is here as it is in the code
    1. The machine: its table, its two sets, its quorum check, with the names and numbers of faction/machine.py.
    2. What a node does with a frame: the two runs that it remembers of each peer, the answer to who asks, the farewells.
    3. restart(); a boot, which also forgets the runs of the others; cancel(), which is the deadline, too.

   What is simpler, and why that hides nothing
    4. A nonce is the number of a run, from 1; 0 is none. Nothing here compares two of them but for equality.
    5. Time is choice: a beacon, an answer, a completion, a deadline happen whenever they can, or later.
    6. What a run ever sent may reach each node at any time, never, or again and again: loss, delay, reordering and
       duplication. Sequence numbers only ever refuse frames, and a frame refused is as good as lost: so there are none.
    7. A run before the current one returns after BACK frames; in the code after seven, none older than another. A smaller
       number makes it happen sooner, not otherwise.

   Two models in one file. Without FAIR: can anything bad happen? There a node says at once whatever it can say, as nobody
   has to hear it. With FAIR: must the good thing happen? See "Fair air".

   To run it, define N, Q and RESTARTS (0 to 2, of all nodes together). Define also, where needed: BOOTS (a restart may be a
   boot), DEADLINES, FAIR with FAREWELLS, DELAYS (frames may also come late and again), WITNESS (what must be possible). */

#define BACK 2
#define RUNS (RESTARTS + 1)

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
#define COMMANDS 5

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

#define TO(state) ((state) << 14)
#define CHECK_QUORUM (1 << 17)

#define HEARD (ACCEPTED | PARTICIPATION_ACCEPTED)
#define READY_HEARD (ACCEPTED | READY_ACCEPTED)
#define LOCAL (ACCEPTED | LOCAL_COMPLETED | BROADCAST_READY | TO(COLLECTING) | CHECK_QUORUM)
#define DEADLINE (ACCEPTED | CONCLUDED_TIMED_OUT | TO(TIMED_OUT))
#define REFUSED (REJECTED | NOT_ADMISSIBLE)
#define CLOSED (REJECTED | CONCLUDED)

#define ROW(state, participation, ready, local, deadline, probe) \
    table[state * COMMANDS] = participation; table[state * COMMANDS + 1] = ready; table[state * COMMANDS + 2] = local; \
    table[state * COMMANDS + 3] = deadline; table[state * COMMANDS + 4] = probe

hidden int table[25];

inline write_table() {
    /*                PARTICIPATION_OBSERVED  READY_OBSERVED              LOCAL    DEADLINE  PROBE */
    ROW(INITIAL,      HEARD | TO(PINGING),    READY_HEARD | TO(PINGING),  LOCAL,   DEADLINE, PROBED);
    ROW(PINGING,      HEARD,                  READY_HEARD,                LOCAL,   DEADLINE, PROBED);
    ROW(COLLECTING,   REFUSED,                READY_HEARD | CHECK_QUORUM, REFUSED, DEADLINE, PROBED);
    ROW(BOOTSTRAPPED, CLOSED,                 CLOSED,                     CLOSED,  CLOSED,   PROBED);
    ROW(TIMED_OUT,    CLOSED,                 CLOSED,                     CLOSED,  CLOSED,   PROBED)
}

byte state[N];
byte pinging[N];      /* a bit a member */
byte collecting[N];
bool completed[N];    /* is_pinging_completed */

#define SIZE(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1))

/* The node */

#define ASKING 1
#define READY 2
#define AT(i, j) ((i) * N + (j))

byte nonce[N];        /* of its own run */
byte current[N * N];  /* AT(i, j): what i remembers of j: the run that counts, the run before, and how often that came since */
byte previous[N * N];
byte returning[N * N];

byte aired[N * RUNS]; /* AIRED(i, k): a bit 1 << flags for each kind of frame that i sent in run k */
byte restarts;

#define AIRED(i, k) aired[(i) * RUNS + (k) - 1]
#define IS_CONCLUDED(i) (state[i] >= BOOTSTRAPPED)
#define FLAGS(i) ((IS_CONCLUDED(i) -> 0 : ASKING) | ((completed[i] && state[i] != TIMED_OUT) -> READY : 0))

#ifdef FAIR
bool answer_due[N];
byte farewells[N];
bool heeds[N * N];    /* AT(i, j): j is sure to receive the next frame of i */
#endif

/* What really happened, which no node knows but from the air; properties are about this. */
byte finished[N];     /* a bit 1 << run for each run in which its own participation was complete */
byte verdict[N];      /* of this run; 0: none yet */
byte counted[N * N];  /* AT(i, j): the run of the last frame of j that counted at i, the run before, and the frames of it since */
byte replaced[N * N];
byte in_a_row[N * N];

#define EVER_READY ((finished[0] > 0) + (finished[1] > 0) + (N > 2 && finished[N - 1] > 0))

hidden byte member, receiver, frame_flags;  /* of one step: each sets them before it reads them */
hidden int cell;

/* Feed a command to the machine of i, about member j. */
inline process(self, command, other) {
    cell = table[state[self] * COMMANDS + command];
    if
    :: command == PARTICIPATION_OBSERVED && cell & ACCEPTED && !(pinging[self] & (1 << other)) ->
        pinging[self] = pinging[self] | (1 << other)
    :: command == READY_OBSERVED && cell & ACCEPTED && !(collecting[self] & (1 << other)) ->
        collecting[self] = collecting[self] | (1 << other)
    :: command > READY_OBSERVED && cell & ACCEPTED ->
        if
        :: cell & LOCAL_COMPLETED ->
            completed[self] = true;
            pinging[self] = 0;    /* only participation reads it, which is refused from here on: so there are fewer states */
            collecting[self] = collecting[self] | (1 << self)
        :: else
        fi
    :: else -> cell = 0    /* rejected, or a duplicate: nothing changes */
    fi;
    if
    :: cell & CHECK_QUORUM && SIZE(collecting[self]) >= Q -> state[self] = BOOTSTRAPPED
    :: else ->
        if :: (cell >> 14) & 7 -> state[self] = (cell >> 14) & 7 :: else fi
    fi;
    watch(self)
}

/* What must hold after each command. */
inline watch(self) {
    /* A conclusion stands. */
    assert(verdict[self] == 0 || state[self] == verdict[self]);
    /* Nobody is bootstrapped before its own part is done, and not before a quorum was ready, by its count and in truth. */
    assert(state[self] != BOOTSTRAPPED || (finished[self] & (1 << nonce[self])));
    assert(state[self] != BOOTSTRAPPED || verdict[self] || (SIZE(collecting[self]) >= Q && EVER_READY >= Q));
    if
    :: IS_CONCLUDED(self) -> verdict[self] = state[self]; pinging[self] = 0; collecting[self] = 0    /* unread from here on */
    :: else
    fi
}

/* Node to hears a frame of a run of node from. */
inline hear(to, from, of_run, flags) {
#if RESTARTS
    if
    :: of_run != current[AT(to, from)] && of_run == previous[AT(to, from)] && returning[AT(to, from)] + 1 < BACK ->
        returning[AT(to, from)] = returning[AT(to, from)] + 1;    /* stale */
        in_a_row[AT(to, from)] = in_a_row[AT(to, from)] + (in_a_row[AT(to, from)] < BACK -> 1 : 0)
    :: else ->
        if
        :: of_run != current[AT(to, from)] ->
            previous[AT(to, from)] = current[AT(to, from)];
            current[AT(to, from)] = of_run
        :: else
        fi;
        returning[AT(to, from)] = 0;
        watch_run(to, from, of_run);
        note_asker(to, flags);
        count(to, from, of_run, flags)
    fi
#else
    note_asker(to, flags);    /* there is but one run of each: nothing to tell apart */
    count(to, from, of_run, flags)
#endif
}

inline note_asker(to, flags) {
#ifdef FAIR
    if
    :: flags & ASKING && completed[to] -> answer_due[to] = true
    :: else
    fi
#else
    skip
#endif
}

inline count(to, from, of_run, flags) {
    process(to, PARTICIPATION_OBSERVED, from);
    if
    :: flags & READY ->
        /* Nobody counts a readiness that its owner did not have in that very run. */
        assert(finished[from] & (1 << of_run));
        process(to, READY_OBSERVED, from)
    :: else
    fi
}

/* Of the last two runs that counted the earlier one counts again only after BACK frames in a row. */
inline watch_run(to, from, of_run) {
    if
    :: of_run != counted[AT(to, from)] ->
        assert(of_run != replaced[AT(to, from)] || in_a_row[AT(to, from)] + 1 >= BACK);
        replaced[AT(to, from)] = counted[AT(to, from)];
        counted[AT(to, from)] = of_run
    :: else
    fi;
    in_a_row[AT(to, from)] = 0
}

inline send(me) {
    frame_flags = FLAGS(me);
    /* A claim is true, and nobody who timed out makes one. */
    assert(!(frame_flags & READY) || (finished[me] & (1 << nonce[me])));
    assert(!(frame_flags & READY) || state[me] != TIMED_OUT);
#ifdef FAIR
    answer_due[me] = false;
#endif
#if !defined(FAIR) || defined(DELAYS)
    AIRED(me, nonce[me]) = AIRED(me, nonce[me]) | (1 << frame_flags);
#endif
#ifdef FAIR
    receiver = 0;
    do
    :: receiver < N ->
        if
        :: heeds[AT(me, receiver)] -> heeds[AT(me, receiver)] = false; hear(receiver, me, nonce[me], frame_flags)
        :: else
        fi;
        receiver++
    :: else -> break
    od;
    skip
#endif
}

/* In the model of safety a node says at once what it can say now. */
inline speak(me) {
#ifdef FAIR
    skip
#else
    send(me)
#endif
}

inline complete(me) {
    finished[me] = finished[me] | (1 << nonce[me]);
    process(me, LOCAL_PARTICIPATION_COMPLETED, me);
    if
    :: cell & BROADCAST_READY -> send(me)
    :: else
    fi
}

inline cancel(me) {
    process(me, DEADLINE_EXPIRED, me);
#ifdef FAIR
    if
    :: cell & ACCEPTED -> farewells[me] = 0
    :: else
    fi;
#endif
    speak(me)
}

inline begin_run(me) {
    nonce[me]++;
    state[me] = INITIAL;
    pinging[me] = 0; collecting[me] = 0; completed[me] = false; verdict[me] = 0;
    member = 0;
    do
    :: member < N -> returning[AT(me, member)] = 0; in_a_row[AT(me, member)] = 0; member++
    :: else -> break
    od;
#ifdef FAIR
    answer_due[me] = false;
    farewells[me] = FAREWELLS;
#endif
    speak(me)
}

/* What a boot forgets besides. */
inline forget_peers(me) {
    member = 0;
    do
    :: member < N ->
        current[AT(me, member)] = 0; previous[AT(me, member)] = 0; counted[AT(me, member)] = 0; replaced[AT(me, member)] = 0;
        member++
    :: else -> break
    od
}

/* Who takes part */

/* Its last choice, always open, is time that passes while nobody acts: without it, and with fairness, spin passes over a
   cluster that is stuck. */
proctype Restarter(byte i) {
end:
    do
    :: d_step { restarts < RESTARTS -> restarts++; begin_run(i) }
#ifdef BOOTS
    :: d_step { restarts < RESTARTS -> restarts++; forget_peers(i); begin_run(i) }
#endif
#ifdef FAIR
    :: nonce[i] > 0
#endif
    od
}

#if !defined(FAIR) || defined(DELAYS)
#define BRING(k, flags) :: d_step { AIRED(j, k) & (1 << (flags)) -> hear(i, j, k, flags); speak(i) }
#define BRING_ANY_OF(k) BRING(k, 0) BRING(k, ASKING) BRING(k, READY) BRING(k, ASKING | READY)

/* Brings node i any frame that j ever sent. It may, and need not. */
proctype Air(byte i, j) {
end:
    do
    BRING_ANY_OF(1)
#if RUNS > 1
    BRING_ANY_OF(2)
#endif
#if RUNS > 2
    BRING_ANY_OF(3)
#endif
    od
}
#endif

#ifndef FAIR

proctype Member(byte i) {
    do
    :: d_step { complete(i); speak(i) }
#ifdef DEADLINES
    :: d_step { cancel(i) }
#endif
    od
}

#else

/* Fair air. Each process is a thing that goes on: spin's weak fairness keeps none of them from acting forever. A link
   decides now and then that the next frame arrives, all others are lost. So who sends without end is heard without end,
   and any number of frames may be lost, the last one that somebody ever sends among them. */

proctype Link(byte i, j) {
end:
    do
    :: d_step { !heeds[AT(i, j)] -> heeds[AT(i, j)] = true }
    od
}

proctype Timer(byte i) {
end:
    do
    :: d_step { !IS_CONCLUDED(i) || answer_due[i] -> send(i) }
    :: d_step { IS_CONCLUDED(i) && farewells[i] -> farewells[i]--; send(i) }
    od
}

#define COMPLETE(i) :: d_step { !completed[i] && !IS_CONCLUDED(i) -> complete(i) }
#define FORGET(i, k) :: d_step { nonce[i] > k && AIRED(i, k) -> AIRED(i, k) = 0 }

/* What is done one day, and then is done: in one process, as all of it gets its turn if only something goes on. Everybody
   completes. No frame is under way forever: those of the runs that are over have all arrived, or never will. */
proctype Chores() {
end:
    do
    COMPLETE(0)
    COMPLETE(1)
#if N > 2
    COMPLETE(2)
#endif
#if RESTARTS && defined(DELAYS)
    FORGET(0, 1)
#endif
#if RESTARTS > 1 && defined(DELAYS)
    FORGET(1, 1)
    FORGET(0, 2)
    FORGET(1, 2)
#if N > 2
    FORGET(2, 1)
    FORGET(2, 2)
#endif
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
    d_step { begin_run(me) };
    if
    :: RESTARTS > 1 || me == 0 -> run Restarter(me)    /* who restarts once is all the same */
    :: else
    fi;
#ifdef FAIR
    run Timer(me);
#else
    run Member(me);
#endif
#if defined(FAIR) && defined(DEADLINES)
    run Deadline(me);
#endif
    skip
}

inline connect(me, peer) {
#ifdef FAIR
    run Link(me, peer);
#endif
#if !defined(FAIR) || defined(DELAYS)
    run Air(me, peer);
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
        :: i < N && j != i && j < N -> connect(i, j); j++
        :: i == N -> break
        od;
#ifdef FAIR
        run Chores();
#endif
        i = 0; j = 0
    }
}
