/* SPDX-License-Identifier: BSD-3-Clause */
/* What a library for messages gives a program: see transport.c. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

enum { AHEAD = 3, TAG = 5 };

/* Sends message `number` to the next rank of the ring; AHEAD of them are under way to each rank at any time. */
void transport_send(int number);
/* The next message from the rank before, in one of three ways: message number 0, 1, ... */
int transport_receive(int number);
/* A collective. */
int transport_sum(int value);

#endif
