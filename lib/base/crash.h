/* SPDX-License-Identifier: BSD-3-Clause */
/* Places at which a test can kill the process: tests/fault/crash.sh does so at each of them, and fails if it cannot reach one. In the library that
 * is used they are nothing; tests/fault/CMakeLists.txt builds it once more with them.
 *
 * A point stands where something has just been done that another process, or a later life, can see, or is about to be done. tests/fault/points.sh looks for what
 * has none. */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#ifdef SEAMARK_CRASH_POINTS

/* All names lie side by side in a section of the library: the list of them is the code's own. */
enum { CRASH_NAME_BYTES = 64 };

/* May not return. tests/fault/crash.c. */
void crash_reached(const char *name, const char *subject);

/* The subject says which of several things that pass here: a file's path, or a word. It is looked at in tests only. */
#define crash_point_on(name_, ...) \
	do { \
		static const char crash_name[CRASH_NAME_BYTES] \
			__attribute__((section("crash_names"), used, aligned(CRASH_NAME_BYTES))) = name_; \
		crash_reached(crash_name, __VA_ARGS__); \
	} while (0)
#define crash_point(name_) crash_point_on(name_, "")

#else

#define crash_point_on(name_, ...) ((void)0)
#define crash_point(name_) ((void)0)

#endif

#endif
