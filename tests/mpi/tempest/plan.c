/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tempest.h"

enum { CLASSES = 8192, LATE = 1 << 19, ROUND_TO = 4 };

/* Of what is matched in one order: when its last message begins, and when its last receive is posted. */
struct class {
	uint64_t name;
	int begin, post;
};

static struct plan *p;
static struct dice dice;
static uint64_t counter;
static bool safe;
static struct class classes[CLASSES];
static size_t buffered[RANKS_MOST];
static int buffered_until[RANKS_MOST];

static int draw(int below)
{
	return dice_draw(&dice, below);
}

static bool chance(int percent)
{
	return dice_chance(&dice, percent);
}

static bool use(int what)
{
	return (p->uses & what) != 0;
}

static int most(int a, int b)
{
	return a > b ? a : b;
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

static uint64_t when(int slot)
{
	return (uint64_t)slot << 20 | counter++;
}

static int slot_of(uint64_t key)
{
	return (int)(key >> 20);
}

/* The ends of things wait for nobody else: they are gathered in some slots, so that many are waited for at once. */
static uint64_t end_at(int slot, int limit)
{
	int later = (slot + ROUND_TO - 1) / ROUND_TO * ROUND_TO;
	if (later > limit || chance(30))
		return when(slot);
	return (uint64_t)later << 20 | LATE | counter++;
}

static void act(int whose, uint64_t key, enum act what, int index, int other)
{
	uint64_t draws = dice_word(&dice); /* on every rank alike */
	if (whose == rank)
		p->actions[p->actions_count++] = (struct action){key, mix(draws, (uint64_t)whose), what, index, other};
}

static int segment_of(int slot)
{
	int segment = 0;
	while (segment < p->segments - 1 && slot >= p->segment_end[segment])
		segment++;
	return segment;
}

/* --- communicators ------------------------------------------------------------------------------------------------------------------- */

static bool alive(int comm, int slot)
{
	return p->comms[comm].made <= slot && slot < p->comms[comm].freed;
}

static void place_all(struct world *world)
{
	for (int i = 0; i < RANKS_MOST; i++)
		world->side[i] = -1;
	for (int part = 0; part < world->parts; part++)
		for (int i = 0; i < world->size[part]; i++) {
			world->side[world->members[part][i]] = part;
			world->place[world->members[part][i]] = i;
		}
}

static void same_members(struct world *world, const struct world *parent)
{
	world->parts = parent->parts;
	memcpy(world->size, parent->size, sizeof world->size);
	memcpy(world->members, parent->members, sizeof world->members);
	world->inter = parent->inter;
}

int world_color(uint64_t draws, int part, int place)
{
	int colors = 1 + (int)(draws % 3);
	uint64_t word = mix(draws, (uint64_t)(part * 64 + place));
	if (draws >> 8 & 1 && word % 11 == 0)
		return MPI_UNDEFINED;
	return colors == 2 ? place % 2 : (int)((word >> 8) % (uint64_t)colors);
}

int world_order(uint64_t draws, int part, int place)
{
	switch (draws >> 16 & 3) {
	case 0:
		return 0;
	case 1:
		return -place;
	default:
		return (int)(mix(draws, 77 + (uint64_t)(part * 64 + place)) % 5);
	}
}

static void add_part(struct world *world, const struct world *parent, int part, int color)
{
	int orders[RANKS_MOST], count = 0, *members = world->members[world->parts];
	for (int i = 0; i < parent->size[part]; i++) {
		int order = world_order(world->draws, part, i), at = count;
		if (world_color(world->draws, part, i) != color)
			continue;
		for (; at > 0 && orders[at - 1] > order; at--) {
			orders[at] = orders[at - 1];
			members[at] = members[at - 1];
		}
		orders[at] = order;
		members[at] = parent->members[part][i];
		count++;
	}
	world->size[world->parts] = count;
	world->parts += count > 0;
}

static bool make_split(struct world *world, const struct world *parent)
{
	for (int part = 0; part < parent->parts; part++)
		for (int color = 0; color < 3; color++)
			add_part(world, parent, part, color);
	return world->parts > 0;
}

static bool make_by_node(struct world *world, const struct world *parent)
{
	for (int part = 0; part < parent->parts; part++)
		for (int node = 0; node < ranks; node++) {
			int count = 0;
			for (int i = 0; i < parent->size[part]; i++)
				if (nodes[parent->members[part][i]] == node)
					world->members[world->parts][count++] = parent->members[part][i];
			world->size[world->parts] = count;
			world->parts += count > 0;
		}
	return true;
}

/* A group of some of each part, perhaps in the other order. */
static bool make_subset(struct world *world, const struct world *parent)
{
	for (int part = 0; part < parent->parts; part++) {
		int count = 0, size = parent->size[part];
		for (int j = 0; j < size; j++) {
			int i = world->draws >> 20 & 1 ? size - 1 - j : j;
			if (i == 0 || mix(world->draws, (uint64_t)(part * 64 + i)) % 3)
				world->members[world->parts][count++] = parent->members[part][i];
		}
		world->size[world->parts++] = count;
	}
	return true;
}

static bool make_cart(struct world *world, const struct world *parent)
{
	int smallest = RANKS_MOST, all = 1;
	for (int part = 0; part < parent->parts; part++)
		smallest = least(smallest, parent->size[part]);
	world->dim_count = 1 + (int)(world->draws % 3);
	for (int d = 0; d < world->dim_count; d++) {
		int room = smallest / all;
		world->dims[d] = d + 1 == world->dim_count ? room : 1 + (int)(mix(world->draws, (uint64_t)d) % (uint64_t)least(room, 4));
		world->periods[d] = (int)(world->draws >> (4 + d) & 1);
		all *= world->dims[d];
	}
	same_members(world, parent);
	for (int part = 0; part < world->parts; part++)
		world->size[part] = all;
	return true;
}

static bool make_cart_sub(struct world *world, const struct world *parent)
{
	int fixed = 1, nodes_of_one = 1;
	for (int d = 0; d < parent->dim_count; d++) {
		world->keep[d] = (int)(world->draws >> d & 1);
		if (world->keep[d]) {
			world->periods[world->dim_count] = parent->periods[d];
			world->dims[world->dim_count++] = parent->dims[d];
		} else {
			fixed *= parent->dims[d];
		}
		nodes_of_one *= parent->dims[d];
	}
	if (world->dim_count == 0)
		return false;
	for (int part = 0; part < parent->parts; part++) {
		for (int i = 0; i < fixed; i++)
			world->size[world->parts + i] = 0;
		for (int node = 0; node < nodes_of_one; node++) {
			int rest = node, which = 0, factor = 1;
			for (int d = parent->dim_count - 1; d >= 0; d--) {
				if (!world->keep[d]) {
					which += rest % parent->dims[d] * factor;
					factor *= parent->dims[d];
				}
				rest /= parent->dims[d];
			}
			int to = world->parts + which;
			world->members[to][world->size[to]++] = parent->members[part][node];
		}
		world->parts += fixed;
	}
	return true;
}

static bool make_merge(struct world *world, const struct world *parent)
{
	int first = (int)(world->draws & 1);
	for (int side = 0; side < 2; side++) {
		int part = side ? !first : first;
		for (int i = 0; i < parent->size[part]; i++)
			world->members[0][world->size[0]++] = parent->members[part][i];
	}
	world->parts = 1;
	return true;
}

static bool make_world(struct world *world)
{
	const struct world *parent = &p->comms[world->parent];
	if (world->maker == MERGE)
		return parent->inter && make_merge(world, parent);
	if (parent->inter && world->maker != DUP && world->maker != DUP_INFO)
		return false;
	switch (world->maker) {
	case SPLIT:
		return make_split(world, parent);
	case SPLIT_TYPE:
		return make_by_node(world, parent);
	case CREATE:
	case CREATE_GROUP:
		return make_subset(world, parent);
	case CART:
		return make_cart(world, parent);
	case CART_SUB:
		return (parent->maker == CART) && make_cart_sub(world, parent);
	case INTERCOMM:
		same_members(world, parent);
		world->inter = true;
		return use(USE_INTER) && parent->parts == 2;
	default:
		same_members(world, parent);
		return true;
	}
}

static void plan_making(int comm, int slot)
{
	const struct world *world = &p->comms[comm], *parent = &p->comms[world->parent];
	uint64_t key = when(slot), end = world->maker == IDUP ? when(slot + 2) : 0;
	for (int r = 0; r < ranks; r++) {
		if (parent->side[r] < 0 || (world->maker == CREATE_GROUP && world->side[r] < 0))
			continue;
		act(r, key, MAKE, comm, 0);
		if (end)
			act(r, end, MAKE_END, comm, 0);
	}
}

static bool idup_near(int slot)
{
	for (int c = 0; c < p->comms_count; c++)
		if (p->comms[c].maker == IDUP && abs(p->comms[c].made - slot) < 6)
			return true;
	return false;
}

static void add_comm(int slot)
{
	struct world *world = &p->comms[p->comms_count];
	/* Open MPI 4.1 hangs where communicators are made while MPI_Comm_idup is under way. */
	if (p->comms_count == COMMS_MOST || slot + 6 > p->slots || idup_near(slot))
		return;
	for (int tries = 0; tries < 8; tries++) {
		*world = (struct world){.maker = (enum maker)(DUP + draw(MAKERS - DUP)), .parent = draw(p->comms_count)};
		world->draws = dice_word(&dice);
		world->handler = use(USE_HANDLER) && chance(50) ? COUNT : RETURN;
		world->attribute = chance(50);
		world->freed = p->slots + 1;
		const struct world *parent = &p->comms[world->parent];
		/* Open MPI's MPI_Comm_create_group talks on the parent with the program's tag: any pending receive would take that. */
		if (!alive(world->parent, slot) || (slot && world->maker == CREATE_GROUP) || parent->quiet ||
		    (safe && parent->freed <= p->slots) || (slot && world->parent == 1 && world->maker != IDUP) ||
		    (world->maker == IDUP && (!use(USE_IDUP) || slot == 0 || parent->gathered || world->parent == 0 || parent->freed <= slot + 4)) || !make_world(world))
			continue;
		place_all(world);
		world->made = world->maker == IDUP ? slot + 3 : slot ? slot + 1 : 0;
		if (use(USE_COMMS) && chance(40)) {
			int end = p->segment_end[segment_of(slot + 4)];
			world->freed = end > slot + 5 ? end : p->slots + 1;
		}
		if (world->maker == IDUP) /* beside another collective on the parent Open MPI 4.1 fails */
			p->comms[world->parent].quiet = true;
		else
			p->comms[world->parent].gathered = true;
		p->comms_count++;
		plan_making(p->comms_count - 1, slot);
		return;
	}
}

static void first_comms(void)
{
	struct world *world = &p->comms[0], *self = &p->comms[1];
	*world = (struct world){.maker = THE_WORLD, .parts = 1, .size = {ranks}};
	*self = (struct world){.maker = THE_SELF, .parts = ranks};
	for (int r = 0; r < ranks; r++) {
		world->members[0][r] = r;
		self->members[r][0] = r;
		self->size[r] = 1;
	}
	world->freed = self->freed = p->slots + 1;
	place_all(world);
	place_all(self);
	p->comms_count = 2;
	int start = 1 + draw(ranks > 8 ? 3 : 5);
	for (int i = 0; i < start; i++)
		add_comm(0);
}

/* --- messages -------------------------------------------------------------------------------------------------------------------------- */

int plan_base(int comm)
{
	return (int)(mix(mix(p->seed, 11), (uint64_t)comm) % BASES);
}

static uint64_t place_word(int what, int comm, int target, int more)
{
	return mix(mix(mix(p->seed, (uint64_t)what), (uint64_t)comm * 64 + (uint64_t)target), (uint64_t)more);
}

/* On a communicator of one process MPICH 4.0 forgets messages whose requests are freed, and gives a pending receive of any tag what its own
 * collectives send. */
static bool alone_in_mpich(int comm, int target)
{
	const struct world *world = &p->comms[comm];
	return mpich && !world->inter && world->size[world->side[target]] == 1;
}

static bool any_tag(int comm, int target)
{
	return use(USE_ANYTAG) && !alone_in_mpich(comm, target);
}

static enum matching matching_of(int comm, int source, int target, int tag)
{
	int style = (int)(place_word(21, comm, target, 0) % 100);
	if (style < 40)
		return EXACT;
	if (style < 55)
		return any_tag(comm, target) && place_word(22, comm, target, source) % 2 ? ANY_TAG_OF_ONE : EXACT;
	if (style < 72)
		return use(USE_ANYSOURCE) && place_word(23, comm, target, tag) % 3 ? ANY_SOURCE_OF_TAG : EXACT;
	if (style < 84)
		return use(USE_ANYSOURCE) && any_tag(comm, target) ? ALL_WILD : EXACT;
	return use(USE_LOOSE) ? LOOSE : EXACT;
}

static bool known(enum matching matching) /* beforehand: which receive takes which message */
{
	return matching == EXACT || matching == ANY_TAG_OF_ONE;
}

static struct class *class_of(const struct message *m)
{
	bool source = known(m->matching) || m->matching == LOOSE, tag = m->matching != ANY_TAG_OF_ONE && m->matching != ALL_WILD;
	uint64_t name = mix(place_word(31, m->comm, m->target, source ? m->source + 1 : 0), tag ? (uint64_t)m->tag + 1 : 0) | 1;
	for (size_t i = name % CLASSES;; i = (i + 1) % CLASSES) {
		if (classes[i].name == 0)
			classes[i].name = name;
		if (classes[i].name == name)
			return &classes[i];
	}
}

static int bytes_of(const struct message *m)
{
	return m->n * base_width(plan_base(m->comm));
}

static int draw_size(const struct message *m)
{
	int kind = draw(100), bytes, width = base_width(plan_base(m->comm));
	if (kind < 12)
		bytes = 0;
	else if (kind < 62 || !use(USE_LARGE))
		bytes = draw(SMALL);
	else if (kind < 85)
		bytes = draw(9000);
	else if (kind < 98 || !known(m->matching))
		bytes = draw(known(m->matching) ? 150000 : 50000);
	else
		bytes = draw(chance(25) ? 3000000 : 600000);
	int n = bytes / width;
	return chance(60) ? n / 12 * 12 : n;
}

static bool pick_pair(struct message *m, int slot)
{
	for (int tries = 0; tries < 6; tries++) {
		int c = draw(p->comms_count), source = draw(ranks), part;
		if (!alive(c, slot) || p->comms[c].side[source] < 0)
			continue;
		int peers = world_peers(&p->comms[c], source, &part), target = p->comms[c].members[part][draw(peers)];
		if (target == source && (!use(USE_SELF) || chance(ranks > 1 ? 50 : 0)))
			continue;
		*m = (struct message){.comm = c, .source = source, .target = target, .tag = chance(4) ? 32767 : draw(5), .send_series = -1,
				      .receive_series = -1};
		m->matching = matching_of(c, source, target, m->tag);
		return true;
	}
	return false;
}

/* The last slot in which the message may be sent and its receive posted. */
static int limit_of(const struct message *m, int slot)
{
	int limit = known(m->matching) ? p->slots - 1 : p->segment_end[segment_of(slot)] - 1;
	return least(limit, p->comms[m->comm].freed - 1);
}

/* An intercommunicator that is freed with requests pending is used after that by Open MPI 4.1, without Seamark too. */
static int end_limit(const struct message *m)
{
	return safe || p->comms[m->comm].inter ? least(p->slots - 1, p->comms[m->comm].freed - 1) : p->slots - 1;
}

static void pattern(struct message *m)
{
	m->from = m->matching == ANY_SOURCE_OF_TAG || m->matching == ALL_WILD ? MPI_ANY_SOURCE : m->source;
	m->with_tag = m->matching == ANY_TAG_OF_ONE || m->matching == ALL_WILD ? MPI_ANY_TAG : m->tag;
	if (m->matching == LOOSE) {
		m->from = use(USE_ANYSOURCE) && chance(50) ? MPI_ANY_SOURCE : m->source;
		m->with_tag = any_tag(m->comm, m->target) && chance(50) ? MPI_ANY_TAG : m->tag;
	}
}

static bool small(const struct message *m)
{
	return bytes_of(m) <= SMALL;
}

static bool buffer_has_room(const struct message *m)
{
	size_t bytes = (size_t)bytes_of(m) + MPI_BSEND_OVERHEAD + 512;
	return bytes < 70000 && buffered[m->source] + bytes < BUFFER_ROOM / 2;
}

static enum mode draw_mode(const struct message *m)
{
	int kind = draw(100);
	if (kind < 15 && use(USE_SYNCHRONOUS))
		return SYNCHRONOUS;
	if (kind < 30 && use(USE_BUFFERED) && buffer_has_room(m))
		return BUFFERED;
	return STANDARD;
}

/* Whether the sender may wait for it at once, whatever the receiver does. */
static bool goes_by_itself(const struct message *m)
{
	/* MPICH buffers no message to oneself. */
	return m->mode == BUFFERED || (m->mode == STANDARD && small(m) && m->source != m->target);
}

/* Whether the request may be freed before the message is received. */
static bool may_free(const struct message *m)
{
	return !alone_in_mpich(m->comm, m->target);
}

static enum how_received draw_receive(const struct message *m)
{
	int kind = draw(100);
	if (m->matching == LOOSE)
		return IRECV;
	if (kind < 20 && use(USE_BLOCKING))
		return RECV;
	if (kind < 35 && use(USE_PROBE))
		return (enum how_received[]){PROBE_RECV, PROBE_IRECV, IPROBE_RECV}[draw(3)];
	if (kind < 55 && use(USE_MATCHED))
		return (enum how_received)(MPROBE_MRECV + draw(4));
	return IRECV;
}

static bool asks_first(enum how_received how) /* the message must have been sent */
{
	return how == RECV || how >= PROBE_RECV;
}

static bool holds(enum how_received how)
{
	return how >= MPROBE_MRECV;
}

static bool ends_later(enum how_received how)
{
	return how == IRECV || how == RECV_SERIES || how == PROBE_IRECV || how == MPROBE_IMRECV || how == IMPROBE_IMRECV;
}

static void write_down(struct message *m)
{
	struct class *class = class_of(m);
	int index = p->messages_count;
	class->begin = most(class->begin, slot_of(m->begin));
	if (m->matching != LOOSE)
		class->post = most(class->post, slot_of(m->reposted ? m->take : m->post));
	if (m->mode == BUFFERED) {
		buffered[m->source] += (size_t)bytes_of(m) + MPI_BSEND_OVERHEAD + 512;
		buffered_until[m->source] = most(buffered_until[m->source], most(slot_of(m->begin), slot_of(m->take)));
	}
	p->messages[p->messages_count++] = *m;
	if (m->how_sent <= SEND_SERIES)
		act(m->source, m->begin, SEND_BEGIN, index, 0);
	if (m->end)
		act(m->source, m->end, SEND_END, index, 0);
	if (m->how_received != RECV_EXCHANGE && m->how_received != RECV_REPLACE)
		act(m->target, m->post, POST, index, 0);
	if (holds(m->how_received) && m->take != m->post)
		act(m->target, m->take, TAKE, index, 0);
	if (m->reposted)
		act(m->target, m->take, CANCEL, index, 0);
	if (m->received)
		act(m->target, m->received, RECEIVE_END, index, 0);
}

static void set_room(struct message *m)
{
	m->room = m->n + (chance(40) ? draw(6) : 0);
	/* Of a large one Open MPI writes more than has room. */
	if (use(USE_TRUNCATE) && m->matching == EXACT && m->source != m->target && m->n > 1 && small(m) && chance(8)) {
		m->truncated = true;
		m->room = draw(m->n);
		m->packed = false;
	}
	m->ignored = m->matching == EXACT && !m->truncated && chance(15);
}

/* How both sides do it, and when, not before these slots. False: there is no room for it. */
static bool place(struct message *m, int begin, int post, int slot)
{
	struct class *class = class_of(m);
	int limit = limit_of(m, slot), end_most = m->truncated ? least(end_limit(m), p->comms[m->comm].freed - 1) : end_limit(m);
	bool self = m->source == m->target, det = known(m->matching), together = false;
	begin = most(begin, class->begin);
	post = most(post, m->matching == LOOSE ? 0 : class->post);
	if (m->receive_series < 0)
		m->how_received = draw_receive(m);
	if (m->truncated && (m->how_received == MPROBE_IMRECV || m->how_received == IMPROBE_IMRECV))
		m->how_received--; /* Open MPI 4.1 finds no communicator for that error */
	if (m->send_series < 0)
		m->mode = draw_mode(m);
	if (m->mode == READY)
		begin = most(begin, post + 1);
	else if (asks_first(m->how_received))
		post = most(post, begin);
	if (det && !self && use(USE_BLOCKING) && m->send_series < 0 && (m->how_received == RECV || m->how_received == IRECV) && chance(15)) {
		begin = post = most(begin, post);
		together = true;
	}
	int take = holds(m->how_received) && chance(60) ? post + draw(9) : post;
	if (m->how_received == IRECV && m->matching == EXACT && use(USE_CANCEL) && !m->truncated && chance(6)) {
		m->reposted = true;
		together = false;
		take = post + draw(6);
	}
	if (begin > limit || take > limit || post > limit || end_most < take)
		return false;
	bool first = take < begin || (take == begin && chance(50) && !asks_first(m->how_received) && !m->reposted);
	if (!first && !together)
		m->begin = when(begin);
	m->post = when(post);
	if (together)
		m->begin = m->post;
	else if (first && take == post)
		m->begin = when(begin);
	m->take = take == post && !m->reposted ? m->post : when(take);
	if (first && take != post)
		m->begin = when(begin);
	if (m->send_series < 0) {
		bool ready = use(USE_READY) && det && m->mode == STANDARD && !m->reposted && m->post < m->begin && !asks_first(m->how_received) &&
			     (self || segment_of(slot_of(m->post)) < segment_of(slot_of(m->begin))) && chance(60);
		if (ready)
			m->mode = READY;
		bool may_block = goes_by_itself(m) || together || (det && m->take < m->begin);
		m->how_sent = together || (may_block && use(USE_BLOCKING) && chance(40)) ? SEND : ISEND;
	}
	if (m->how_sent != SEND) {
		int after = goes_by_itself(m) ? begin : most(begin, take);
		if (det || goes_by_itself(m))
			m->end = end_at(least(after + draw(12), end_most), end_most);
	}
	if (m->how_sent == ISEND && use(USE_FREED) && chance(4) && may_free(m)) {
		m->send_freed = true;
		m->end = 0;
	}
	if (ends_later(m->how_received) && m->matching != LOOSE) {
		int until = det ? end_most : least(limit, end_most);
		m->received = end_at(least(most(begin, take) + draw(12), until), until);
		if (m->how_received == IRECV && m->matching == EXACT && !safe && !m->reposted && !m->truncated && small(m) && use(USE_FREED) &&
		    chance(4) && may_free(m)) {
			m->receive_freed = true;
			m->received = 0;
		}
	}
	return true;
}

static int draw_delay(void)
{
	return chance(12) ? draw(25) : draw(5);
}

static void add_message(int slot)
{
	struct message m;
	if (p->messages_count >= MESSAGES_MOST - 8 || !pick_pair(&m, slot))
		return;
	m.n = draw_size(&m);
	m.packed = use(USE_TYPES) && chance(6);
	pattern(&m);
	set_room(&m);
	if (place(&m, slot + draw_delay(), slot + draw_delay(), slot))
		write_down(&m);
}

/* A ring of exchanges: each waits for all others, and all begin at once. */
static void add_exchange(int slot)
{
	struct message ring[4], one;
	int members[4], count = 0, time = slot + draw(4), n, part;
	bool replace = chance(40);
	if (!use(USE_SENDRECV) || p->messages_count >= MESSAGES_MOST - 8 || !pick_pair(&one, slot) || p->comms[one.comm].inter)
		return;
	part = p->comms[one.comm].side[one.source];
	for (int i = 0; i < p->comms[one.comm].size[part] && count < 4; i++)
		if (chance(50))
			members[count++] = p->comms[one.comm].members[part][i];
	if (count == 0 || (count == 1 && !use(USE_SELF)))
		return;
	n = draw_size(&one);
	for (int i = 0; i < count; i++) {
		struct message *m = &ring[i];
		*m = one;
		m->source = members[i];
		m->target = members[(i + 1) % count];
		m->matching = matching_of(m->comm, m->source, m->target, m->tag);
		m->n = replace ? n : draw_size(m);
		pattern(m);
		m->room = m->n;
		if (m->matching == LOOSE || (!known(m->matching) && (replace || !goes_by_itself(m))))
			return;
		time = most(time, most(class_of(m)->begin, class_of(m)->post));
	}
	for (int i = 0; i < count; i++)
		if (time > least(limit_of(&ring[i], slot), end_limit(&ring[i])))
			return;
	uint64_t key = when(time);
	for (int i = 0; i < count; i++) {
		ring[i].how_sent = replace ? SEND_REPLACE : SEND_EXCHANGE;
		ring[i].how_received = replace ? RECV_REPLACE : RECV_EXCHANGE;
		ring[i].begin = ring[i].post = ring[i].take = key;
		act(ring[i].source, key, EXCHANGE, p->messages_count, p->messages_count + (i == 0 ? count - 1 : -1));
		write_down(&ring[i]);
	}
}

static int new_series(const struct message *m, bool sends, enum mode mode)
{
	if (p->series_count == SERIES_MOST)
		return -1;
	p->series[p->series_count] = (struct series){.comm = m->comm, .source = m->source, .target = m->target, .tag = m->tag, .n = m->n,
						     .from = m->from, .with_tag = m->with_tag, .sends = sends, .mode = mode};
	p->series[p->series_count].draws = dice_word(&dice);
	return p->series_count++;
}

static void add_series(int slot)
{
	struct message m, base;
	int uses = 2 + draw(4), send = slot, receive = slot, done = 0;
	uint64_t send_end = 0, receive_end = 0;
	if (!use(USE_PERSISTENT) || !pick_pair(&base, slot))
		return;
	base.n = draw_size(&base);
	pattern(&base);
	base.room = base.n;
	enum mode mode = draw_mode(&base);
	if (base.source == base.target && use(USE_READY) && known(base.matching) && chance(30))
		mode = READY;
	if (mode == BUFFERED && !small(&base)) /* with a large one Open MPI 4.1 sends what the first use held, each time */
		mode = STANDARD;
	base.mode = mode;
	bool sends = known(base.matching) || goes_by_itself(&base), receives = base.matching != LOOSE;
	if (mode == READY)
		sends = receives = true;
	else if (sends && receives && chance(40))
		*(chance(50) ? &sends : &receives) = false;
	base.how_sent = SEND_SERIES;
	base.how_received = RECV_SERIES;
	base.send_series = sends ? new_series(&base, true, mode) : -1;
	base.receive_series = receives ? new_series(&base, false, mode) : -1;
	if ((sends && base.send_series < 0) || (receives && base.receive_series < 0))
		return;
	for (; done < uses && p->messages_count < MESSAGES_MOST - 8; done++) {
		m = base;
		if ((mode == BUFFERED && sends && !buffer_has_room(&m)) || !place(&m, send + draw(3), receive + draw(3), slot))
			break;
		write_down(&m);
		if (m.end)
			send_end = m.end;
		send = slot_of(sends ? m.end : m.begin) + 1;
		receive = slot_of(receives ? m.received : m.post) + 1;
		if (receives)
			receive_end = m.received;
	}
	if (done == 0)
		return;
	if (sends) {
		bool active = use(USE_FREED) && chance(20) && may_free(&base);
		act(base.source, (uint64_t)slot << 20, SERIES_INIT, base.send_series, 0);
		act(base.source, active ? p->messages[p->messages_count - 1].begin : send_end, SERIES_FREE, base.send_series, 0);
	}
	if (receives) {
		act(base.target, (uint64_t)slot << 20, SERIES_INIT, base.receive_series, 0);
		act(base.target, receive_end, SERIES_FREE, base.receive_series, 0);
	}
}

/* --- the rest ---------------------------------------------------------------------------------------------------------------------------- */

static bool has_neighbors(const struct world *world)
{
	int sources[2 * RANKS_MOST], targets[2 * RANKS_MOST], in, out;
	if (world->maker < CART || world->maker > DIST_GRAPH)
		return false;
	for (int r = 0; r < ranks; r++) {
		if (world->side[r] < 0)
			continue;
		world_neighbors(world, r, sources, &in, targets, &out);
		for (int i = 0; i < in; i++)
			for (int j = 0; j < i; j++)
				if (sources[i] >= 0 && sources[i] == sources[j])
					return false;
	}
	return true;
}

static void add_gathering(int slot)
{
	static const enum gather between[] = {BARRIER, BROADCAST, ALLREDUCE, ALLGATHER, ALLTOALL};
	int c = draw(p->comms_count), limit = least(p->slots, p->comms[c].freed) - 1;
	const struct world *world = &p->comms[c];
	struct gathering *g = &p->gathers[p->gathers_count];
	if (!alive(c, slot) || p->gathers_count == GATHERS_MOST || limit <= slot || world->quiet)
		return;
	*g = (struct gathering){.comm = c, .count = chance(80) ? draw(12) : draw(700), .root = draw(1000)};
	g->draws = dice_word(&dice);
	g->what = world->inter ? between[draw(5)] : (enum gather)draw(NEIGHBOR_ALLGATHER);
	if (has_neighbors(world) && chance(60))
		g->what = chance(50) ? NEIGHBOR_ALLGATHER : NEIGHBOR_ALLTOALL;
	g->waits = use(USE_COLLECTIVE) && (!use(USE_ICOLLECTIVE) || chance(50));
	g->in_place = !world->inter && chance(30);
	if (!g->waits && !use(USE_ICOLLECTIVE))
		return;
	p->comms[c].gathered = true;
	uint64_t key = when(slot);
	for (int r = 0; r < ranks; r++) {
		if (world->side[r] < 0)
			continue;
		act(r, key, GATHER_BEGIN, p->gathers_count, 0);
		if (!g->waits)
			act(r, end_at(least(slot + draw(12), limit), limit), GATHER_END, p->gathers_count, 0);
	}
	p->gathers_count++;
}

static void add_oddity(int slot)
{
	int who = draw(ranks), c = draw(p->comms_count), kind = draw(4), limit = end_limit(&(struct message){.comm = c});
	if (kind == 0 && use(USE_NOWHERE))
		act(who, when(slot), NOWHERE, 0, 0);
	else if (kind == 1 && use(USE_GREQUEST))
		act(who, when(slot), GREQUEST, 0, 0);
	else if (kind == 2 && use(USE_CANCEL) && alive(c, slot) && p->comms[c].side[who] >= 0 && p->odds_count < ODDS_MOST) {
		act(who, when(slot), NEVER_POST, p->odds_count, c);
		act(who, end_at(least(slot + draw(20), limit), limit), NEVER_CANCEL, p->odds_count++, c);
	} else if (use(USE_PEEK)) {
		for (int i = 0; i < 3; i++)
			act(draw(ranks), when(slot), PEEK, 0, 0);
	}
}

static void add_fence(int segment)
{
	int slot = p->segment_end[segment];
	uint64_t key = (uint64_t)slot << 20;
	for (int r = 0; r < ranks; r++) {
		bool detach = buffered_until[r] < slot;
		if (detach)
			buffered[r] = 0;
		act(r, key, FENCE, segment, detach);
	}
	for (int c = 0; c < p->comms_count; c++)
		if (p->comms[c].freed == slot)
			for (int r = 0; r < ranks; r++)
				if (p->comms[c].side[r] >= 0)
					act(r, key + 1 + (uint64_t)c, UNMAKE, c, 0);
}

static int by_key(const void *a, const void *b)
{
	const struct action *left = a, *right = b;
	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return left->act < right->act ? -1 : left->act > right->act;
}

static int by_begin(const void *a, const void *b)
{
	const struct message *left = &p->messages[*(const int *)a], *right = &p->messages[*(const int *)b];
	return left->begin < right->begin ? -1 : left->begin > right->begin;
}

static int stream_of(const struct message *m)
{
	for (int i = 0; i < p->streams_count; i++) {
		const struct stream *s = &p->streams[i];
		if (s->comm == m->comm && s->source == m->source && s->target == m->target && s->tag == m->tag)
			return i;
	}
	p->streams[p->streams_count] = (struct stream){m->comm, m->source, m->target, m->tag, -1, -1, 0};
	return p->streams_count++;
}

static void number_streams(void)
{
	int largest[COMMS_MOST][RANKS_MOST] = {0};
	for (int i = 0; i < p->messages_count; i++)
		p->by_begin[i] = i;
	qsort(p->by_begin, (size_t)p->messages_count, sizeof *p->by_begin, by_begin);
	for (int i = 0; i < p->messages_count; i++) {
		struct message *m = &p->messages[p->by_begin[i]];
		m->stream = stream_of(m);
		m->serial = ++p->streams[m->stream].count;
		largest[m->comm][m->target] = most(largest[m->comm][m->target], m->n);
	}
	for (int i = 0; i < p->messages_count; i++) {
		struct message *m = &p->messages[i];
		if (m->matching != EXACT)
			m->room = most(m->room, largest[m->comm][m->target]);
	}
}

void plan_make(uint64_t seed, int uses, bool safepoints)
{
	p = &plan;
	memset(p, 0, sizeof *p);
	memset(classes, 0, sizeof classes);
	memset(buffered, 0, sizeof buffered);
	memset(buffered_until, 0, sizeof buffered_until);
	p->seed = seed;
	dice = (struct dice){mix(seed, 1)};
	safe = safepoints;
	counter = 64; /* room for what comes first in a slot */
	p->uses = uses;
	for (int i = 0; i < 26; i++)
		if (chance(15))
			p->uses &= ~(1 << i);
	if (safe && seed % 4) /* with those pending no cut of steps can be made */
		p->uses &= ~(USE_SYNCHRONOUS | USE_ICOLLECTIVE);
	p->slots = 30 + draw(50);
	for (int slot = 0; slot < p->slots;) {
		slot = least(slot + 10 + draw(20), p->slots);
		p->segment_end[p->segments++] = slot;
	}
	first_comms();
	int events = ranks == 1 ? 2 : ranks <= 4 ? 3 : 4, segment = 0;
	for (int slot = 1; slot <= p->slots; slot++) {
		if (slot == p->segment_end[segment])
			add_fence(segment++);
		if (slot == p->slots)
			break;
		if (safe && slot % 3 == 0) {
			uint64_t key = ((uint64_t)slot << 20) + 63;
			for (int r = 0; r < ranks; r++)
				act(r, key, SAFEPOINT, p->safepoints, 0);
			p->safepoints++;
		}
		if (use(USE_COMMS) && chance(5))
			add_comm(slot);
		for (int i = 0; i < events; i++) {
			int kind = draw(100);
			if (kind < 70)
				add_message(slot);
			else if (kind < 78)
				add_series(slot);
			else if (kind < 86)
				add_exchange(slot);
			else if (kind < 92)
				add_gathering(slot);
			else
				add_oddity(slot);
		}
	}
	number_streams();
	qsort(p->actions, (size_t)p->actions_count, sizeof *p->actions, by_key);
}

void plan_print(void)
{
	static const char *const matchings[] = {"exact", "any-tag", "any-source", "wild", "loose"}, *const modes[] = {"standard", "buffered", "synchronous", "ready"},
				 *const sent[] = {"send", "isend", "series", "exchange", "replace"},
				 *const received[] = {"recv", "irecv", "series", "exchange", "replace", "probe-recv", "probe-irecv", "iprobe-recv",
						      "mprobe-mrecv", "mprobe-imrecv", "improbe-mrecv", "improbe-imrecv"};
	for (int c = 0; c < p->comms_count; c++)
		fprintf(stderr, "communicator %d: maker %d of %d, %d parts, slots %d to %d%s\n", c, p->comms[c].maker, p->comms[c].parent,
			p->comms[c].parts, p->comms[c].made, p->comms[c].freed, p->comms[c].inter ? ", inter" : "");
	for (int i = 0; i < p->messages_count; i++) {
		const struct message *m = &p->messages[i];
		fprintf(stderr, "message %d: on %d from %d to %d tag %d, %d of base %d, room %d, %s, %s %s, %s, serial %d; slots: sent %d to %d, posted %d, "
			"taken %d, received %d;%s%s%s%s%s%s\n", i, m->comm, m->source, m->target, m->tag, m->n, plan_base(m->comm), m->room,
			matchings[m->matching], modes[m->mode], sent[m->how_sent], received[m->how_received], m->serial, slot_of(m->begin),
			slot_of(m->end), slot_of(m->post), slot_of(m->take), slot_of(m->received), m->packed ? " packed" : "",
			m->truncated ? " truncated" : "", m->ignored ? " ignored" : "", m->send_freed ? " send freed" : "",
			m->receive_freed ? " receive freed" : "", m->reposted ? " reposted" : "");
	}
}
