--
-- PostgreSQL database dump
--

\restrict 1CORhForNNOYuBIac3YjahkGRJOVPBo8J6vhWiOW0zdOvk8YdnqlD82MnaacGlE

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: corpus_people; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.corpus_people (
    name text,
    mobile text,
    code integer,
    message text
);


ALTER TABLE public.corpus_people OWNER TO postgres;

--
-- Data for Name: corpus_people; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.corpus_people (name, mobile, code, message) FROM stdin;
سارا محمدی	09120000001	1001	سفارش شما فرستاده شد
Omid Karimi	+98 935 000 0002	1002	Your order has shipped
مینا «دنا» رضایی	0098 912 000 0003	1003	می‌آید؛ ساعت ۱۰
Jürgen Groß	+49 1512 3456789	1004	Größe 42 ist da
\N	09120000005	\N	line one\nline two, "quoted"
\.


--
-- PostgreSQL database dump complete
--

\unrestrict 1CORhForNNOYuBIac3YjahkGRJOVPBo8J6vhWiOW0zdOvk8YdnqlD82MnaacGlE

