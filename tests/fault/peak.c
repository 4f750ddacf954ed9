/* peak.c - runs a program and says how much memory it held at most.
 *
 *	peak FILE CMD ...       kB into FILE; the exit status is CMD's, 128 + the signal's number if one killed it
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status;
	struct rusage used;
	pid_t pid = argc > 2 ? fork() : -1;
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) < 0)
		return 126;
	FILE *f = fopen(argv[1], "w");
	if (!f || fprintf(f, "%ld\n", used.ru_maxrss) < 0 || fclose(f))
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
