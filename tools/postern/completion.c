/* SPDX-License-Identifier: BSD-2-Clause */
/* completion.c: the shell's completion, made from the rows of every object. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"

static const char head[] =
	"# bash completion for postern, made by `postern completion bash`; do not edit\n"
	"\n"
	"# What may follow OBJECT COMMAND. IF stands for an interface, FILE for a file, FOLDER for a folder.\n"
	"_postern_words()\n"
	"{\n"
	"\tcase $1/$2 in\n";

static const char tail[] =
	"\tesac\n"
	"}\n"
	"\n"
	"# The name that a word is, or abbreviates; otherwise the word as it is.\n"
	"_postern_name()\n"
	"{\n"
	"\tlocal word=$1 name found=()\n"
	"\n"
	"\tshift\n"
	"\tfor name; do\n"
	"\t\tif [[ $name == \"$word\" ]]; then\n"
	"\t\t\tfound=(\"$name\")\n"
	"\t\t\tbreak\n"
	"\t\telif [[ $name == \"$word\"* && $name != help ]]; then\n"
	"\t\t\tfound+=(\"$name\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [[ ${#found[@]} == 1 ]]; then\n"
	"\t\tword=${found[0]}\n"
	"\tfi\n"
	"\techo \"$word\"\n"
	"}\n"
	"\n"
	"# list is show, where an object has no list of its own.\n"
	"_postern_command()\n"
	"{\n"
	"\tlocal names=$(_postern_words \"$1\" '') name\n"
	"\n"
	"\tif [[ \" $names \" == *' show '* && \" $names \" != *' list '* ]]; then\n"
	"\t\tname=$(_postern_name \"$2\" $names list)\n"
	"\t\techo \"${name/#list/show}\"\n"
	"\telse\n"
	"\t\t_postern_name \"$2\" $names\n"
	"\tfi\n"
	"}\n"
	"\n"
	"_postern_paths()\n"
	"{\n"
	"\tmapfile -t COMPREPLY < <(compgen \"$1\" -- \"$2\")\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"}\n"
	"\n"
	"_postern()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} object= command= skip= word words i\n"
	"\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $skip ]]; then\n"
	"\t\t\tskip=\n"
	"\t\telif [[ \" $_postern_with_argument \" == *\" $word \"* ]]; then\n"
	"\t\t\tskip=1\n"
	"\t\telif [[ $word == -* ]]; then\n"
	"\t\t\t:\n"
	"\t\telif [[ ! $object ]]; then\n"
	"\t\t\tobject=$(_postern_name \"$word\" $(_postern_words '' ''))\n"
	"\t\telif [[ ! $command ]]; then\n"
	"\t\t\tcommand=$(_postern_command \"$object\" \"$word\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $skip ]]; then\n"
	"\t\t_postern_paths -f \"$cur\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tif [[ $cur == -* && ! $object ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$_postern_options\" -- \"$cur\"))\n"
	"\t\treturn\n"
	"\tfi\n"
	"\twords=\" $(_postern_words \"$object\" \"$command\") \"\n"
	"\tif [[ $words == *' FILE '* ]]; then\n"
	"\t\t_postern_paths -f \"$cur\"\n"
	"\telif [[ $words == *' FOLDER '* ]]; then\n"
	"\t\t_postern_paths -d \"$cur\"\n"
	"\tfi\n"
	"\tif [[ $words == *' IF '* ]]; then\n"
	"\t\twords+=$(cd /sys/class/net 2>/dev/null && echo *)\n"
	"\tfi\n"
	"\tfor word in $words; do\n"
	"\t\tif [[ $word != [A-Z]* && $word == \"$cur\"* ]]; then\n"
	"\t\t\tCOMPREPLY+=(\"$word\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"complete -F _postern postern\n";

/* Of a placeholder, what the script knows it by; NULL = a shell has nothing to offer for it. */
static const char *known_place(const char *word, size_t n)
{
	static const struct {
		const char *place, *known;
	} rows[] = { { "IF", "IF" }, { "FILE", "FILE" }, { "CONFIG", "FILE" }, { "FOLDER", "FOLDER" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (n == strlen(rows[i].place) && !strncmp(word, rows[i].place, n))
			return rows[i].known;
	return NULL;
}

/* "would-ban" is one word. */
static size_t word_len(const char *p)
{
	size_t n = 0;

	while (isalpha((unsigned char)p[n]) || (n && p[n] == '-' && isalpha((unsigned char)p[n + 1])))
		n++;
	return n;
}

/* The literal words of a usage text, and of the placeholders those that a shell can fill in. */
static void print_words(const char *usage)
{
	const char *gap = "";

	for (const char *p = usage ? usage : ""; *p;) {
		size_t n = word_len(p);
		bool literal = n && islower((unsigned char)*p);
		const char *known = known_place(p, n);

		if (literal)
			printf("%s%.*s", gap, (int)n, p);
		else if (known)
			printf("%s%s", gap, known);
		gap = literal || known ? " " : gap;
		p += n ? n : 1;
	}
}

static void print_object(const struct object *o)
{
	if (o->direct) {
		printf("\t%s/*) echo '", o->name);
		print_words(o->cmds->usage);
		printf("' ;;\n");
		return;
	}
	printf("\t%s/) echo '", o->name);
	for (const struct cmd *c = o->cmds; c->name; c++)
		printf("%s ", c->name);
	printf("help' ;;\n");
	for (const struct cmd *c = o->cmds; c->name; c++) {
		if (!c->usage)
			continue;
		printf("\t%s/%s) echo '", o->name, c->name);
		print_words(c->usage);
		printf("' ;;\n");
	}
}

static void print_object_names(void)
{
	for (int i = 0; objects[i]; i++) {
		if (!objects[i]->hidden)
			printf("%s%s", i ? " " : "", objects[i]->name);
	}
}

static void print_options(const char *variable, bool with_argument)
{
	const char *gap = "";

	printf("%s='", variable);
	for (const struct option_row *r = option_rows; r->name; r++) {
		if (with_argument && !r->arg)
			continue;
		if (r->letter)
			printf("%s-%c", gap, r->letter);
		printf("%s--%s", r->letter ? " " : gap, r->name);
		gap = " ";
	}
	printf("'\n");
}

static int do_bash(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	fputs(head, stdout);
	printf("\t/) echo '");
	print_object_names();
	printf(" help' ;;\n\thelp/) echo '");
	print_object_names();
	printf("' ;;\n");
	for (int i = 0; objects[i]; i++) {
		if (!objects[i]->hidden)
			print_object(objects[i]);
	}
	fputs(tail, stdout);
	print_options("_postern_options", false);
	print_options("_postern_with_argument", true);
	out_done();
	return CLI_OK;
}

static const struct cmd cmds[] = {
	{ "bash", NULL, "Prints the completion of bash.", do_bash },
	{ 0 },
};

const struct object object_completion = { "completion", "shell completion", cmds, .hidden = true };
