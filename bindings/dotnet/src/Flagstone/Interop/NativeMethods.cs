// Every function of include/flagstone.h, under its own name and with its own types: the one place where native code is
// named. All signatures are blittable, so neither kind of import converts anything. A test compares this file with the header.
//
// Both targets read each signature once: only the attribute and one keyword differ.
#pragma warning disable SYSLIB1054 // LibraryImport does not exist below .NET 7
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Flagstone.Interop;

internal static unsafe partial class NativeMethods
{
    /// <summary>On Windows <c>flagstone.dll</c> is the managed assembly: case does not count there.</summary>
    internal const string WindowsLibrary = "flagstone_native";

    /// <summary>The runtime adds the platform's prefix and suffix; the loader puts the right name in its place.</summary>
#if NET8_0_OR_GREATER
    internal const string Library = "flagstone";
#else
    internal const string Library = WindowsLibrary;
#endif

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        uint flagstone_abi_version();

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        byte* flagstone_version_string();

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        ulong flagstone_features();

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_bytes_clear(NativeBytes* bytes);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        byte* flagstone_status_name(int status);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_error_code(IntPtr error);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        NativeText flagstone_error_message(IntPtr error);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_error_free(IntPtr error);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_config_new();

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_config_set(IntPtr config, byte* name, nuint nameLen, byte* value, nuint valueLen, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_config_load_json(IntPtr config, byte* json, nuint jsonLen, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_config_free(IntPtr config);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_test_data_new();

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_test_data_set_json(IntPtr data, int kind, byte* json, nuint jsonLen, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_test_data_delete(IntPtr data, int kind, byte* key, nuint keyLen, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_test_data_set_status(
            IntPtr data, int state, int errorKind, int httpStatus, byte* message, nuint messageLen, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_test_data_retain(IntPtr data);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_test_data_release(IntPtr data);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_config_set_test_data(IntPtr config, IntPtr data, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_new(IntPtr config, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_start(IntPtr client, uint timeoutMs, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_wait(IntPtr client, int state, uint timeoutMs);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_state(IntPtr client);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_status_json(IntPtr client, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_postfork(IntPtr client, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_flush(IntPtr client, uint timeoutMs, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_metrics_text(IntPtr client, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_flag_version(IntPtr client, byte* key, nuint keyLength, long* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_set_credentials(
            IntPtr client, byte* user, nuint userLen, byte* password, nuint passwordLen, long validForMs, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_subscribe(IntPtr client, uint wants, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_close(IntPtr client, uint timeoutMs);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_client_retain(IntPtr client);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_client_release(IntPtr client);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_status(IntPtr client, NativeClientStatus* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_environment_id(IntPtr client, NativeBytes* text, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_client_status_info_clear(NativeClientStatus* info);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_from_key(NativeText kind, NativeText key, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_from_attrs(
            NativeText kind, NativeText key, NativeAttribute* attrs, nuint n, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_from_json(byte* json, nuint jsonLen, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_merge(IntPtr* contexts, nuint n, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_to_json(IntPtr context, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_canonical_key(IntPtr context, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_kinds(IntPtr context, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_get(
            IntPtr context, NativeText kind, NativeText reference, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_private_attributes(IntPtr context, NativeText kind, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_individual(IntPtr context, NativeText kind, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_context_retain(IntPtr context);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_context_release(IntPtr context);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_context_builder_new(NativeText kind, NativeText key);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_builder_set(IntPtr builder, NativeAttribute* attr, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_builder_set_private(IntPtr builder, NativeText reference, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_context_builder_build(IntPtr builder, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_context_builder_free(IntPtr builder);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_detail_clear(NativeDetail* detail);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        long flagstone_detail_int(NativeDetail* detail, long defaultValue);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_bool_variation(IntPtr client, IntPtr context, byte* key, nuint keyLen, int defaultValue);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        long flagstone_int_variation(IntPtr client, IntPtr context, byte* key, nuint keyLen, long defaultValue);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        double flagstone_double_variation(IntPtr client, IntPtr context, byte* key, nuint keyLen, double defaultValue);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_string_variation(
            IntPtr client, IntPtr context, byte* key, nuint keyLen, byte* defaultValue, nuint defaultLen, NativeBytes* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_variation(
            IntPtr client, IntPtr context, byte* key, nuint keyLen, int wantType, byte* defaultJson, nuint defaultJsonLen,
            NativeDetail* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_variation_or(
            IntPtr client, IntPtr context, byte* key, nuint keyLen, int wantType, NativeDefault* defaultValue, uint options,
            NativeDetail* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_variation_many(IntPtr client, IntPtr context, NativeText* keys, nuint n, NativeDetail* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_variation_many_or(
            IntPtr client, IntPtr context, NativeText* keys, NativeDefault* defaults, nuint n, uint options, NativeDetail* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_identify(IntPtr client, IntPtr context, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_track(
            IntPtr client, IntPtr context, byte* name, nuint nameLen, double* metric, byte* dataJson, nuint dataJsonLen,
            IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_flag_new(
            IntPtr client, byte* key, nuint keyLen, int type, byte* defaultJson, nuint defaultJsonLen, IntPtr* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_flag_bool(IntPtr flag, IntPtr context);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_flag_bool_try(IntPtr flag, IntPtr context);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        long flagstone_flag_int(IntPtr flag, IntPtr context);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        double flagstone_flag_double(IntPtr flag, IntPtr context);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_flag_string(IntPtr flag, IntPtr context, NativeBytes* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_flag_detail(IntPtr flag, IntPtr context, NativeDetail* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_flag_value(IntPtr flag, IntPtr context, NativeDetail* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_flag_release(IntPtr flag);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_variation(
            IntPtr client, IntPtr context, byte* key, nuint keyLen, int defaultStage, NativeDetail* detail, IntPtr* migration,
            IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_stage_of(IntPtr migration);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_set_operation(IntPtr migration, int operation, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_set_invoked(IntPtr migration, int origin, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_set_failed(IntPtr migration, int origin, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_set_latency(IntPtr migration, int origin, double milliseconds, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_wants_check(IntPtr migration);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_set_consistent(IntPtr migration, int consistent, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_migration_track(IntPtr client, IntPtr migration, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        IntPtr flagstone_migration_retain(IntPtr migration);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_migration_release(IntPtr migration);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_all_flags_json(IntPtr client, IntPtr context, uint options, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_secure_mode_hash(IntPtr client, IntPtr context, NativeBytes* @out, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_next_notification(IntPtr client, uint timeoutMs, NativeNotification* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_notification_clear(NativeNotification* notification);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_client_wake(IntPtr client);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_poll_event(IntPtr client, uint timeoutMs, NativeNotification* @out);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_event_clear(NativeNotification* notification);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        void flagstone_wake(IntPtr client);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_listen(IntPtr client, IntPtr context, byte* key, nuint keyLen, ulong* listener, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_unlisten(IntPtr client, ulong listener, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_membership_add(IntPtr membership, byte* reference, nuint referenceLen, int included);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_config_set_big_segment_store(IntPtr config, NativeBigSegmentStore* store, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_big_segments_status(IntPtr client, NativeBigSegmentStatus* status, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_big_segments_poll(IntPtr client, NativeBigSegmentStatus* status, IntPtr* err);

#if NET8_0_OR_GREATER
    [LibraryImport(Library), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial
#else
    [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
    internal static extern
#endif
        int flagstone_client_may_wait(IntPtr client);
}
